import type { DynamicModule, Provider } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { VaultModuleAsyncOptions, VaultModuleOptions, VaultOptionsFactory } from '../vault.options.js';
import { readEnvFile } from '../options/env-file.js';
import { isMissingDependency } from './nest-internals.js';

/** Token of the options in that context. */
const VAULT_OPTIONS = Symbol.for('nestjs-vault:options');

/** Root of the short-lived context in which options are made. */
class VaultBootstrapModule {}

/**
 * Makes the module's options from their factory, with the providers it injects, before the application exists.
 *
 * @throws VaultInvalidOptionError when the factory is missing, or there is more than one, or a dependency is missing
 * @internal
 */
export async function resolveAsyncOptions(options: VaultModuleAsyncOptions): Promise<VaultModuleOptions> {
  const { useFactory, inject = [], imports = [] } = options;
  checkFactory(options);
  if (useFactory && imports.length === 0 && inject.every((token) => token === ConfigService)) {
    // The usual case, without the cost and the log lines of a second application context.
    const config = inject.length > 0 ? new ConfigService(await readEnvFile()) : undefined;
    return useFactory(...inject.map(() => config));
  }
  return inContext(await contextModule(options, imports));
}

function checkFactory({ useFactory, useClass, useExisting }: VaultModuleAsyncOptions): void {
  const given = Object.entries({ useFactory, useClass, useExisting }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    throw new VaultInvalidOptionError(
      `VaultModule.forRootAsync() takes exactly one of useFactory, useClass and useExisting; it was given ${given.length === 0 ? 'none' : given.map(([name]) => name).join(' and ')}.`,
    );
  }
  const wrong = given.find(([, value]) => typeof value !== 'function');
  if (wrong)
    throw new VaultInvalidOptionError(
      `"${wrong[0]}" of VaultModule.forRootAsync() must be a ${wrong[0] === 'useFactory' ? 'function' : 'class'}.`,
    );
}

async function contextModule(
  options: VaultModuleAsyncOptions,
  imports: NonNullable<VaultModuleAsyncOptions['imports']>,
): Promise<DynamicModule> {
  const resolved = await Promise.all(imports.map(async (entry) => entry));
  // A ConfigModule of the caller's own decides for itself which files count.
  const ownConfig = resolved.some((entry) => 'module' in entry && entry.module === ConfigModule);
  const values = ownConfig ? {} : await readEnvFile();
  return {
    module: VaultBootstrapModule,
    imports: [...resolved, ConfigModule.forFeature(() => values)],
    providers: providersOf(options),
  };
}

function providersOf({ useFactory, useClass, useExisting, inject = [] }: VaultModuleAsyncOptions): Provider[] {
  if (useFactory) return [{ provide: VAULT_OPTIONS, useFactory, inject }];
  const factory = (useClass ?? useExisting) as NonNullable<typeof useClass>;
  const options: Provider = {
    provide: VAULT_OPTIONS,
    useFactory: (made: VaultOptionsFactory) => made.createVaultOptions(),
    inject: [factory],
  };
  return useClass ? [factory, options] : [options];
}

async function inContext(module: DynamicModule): Promise<VaultModuleOptions> {
  try {
    const context = await NestFactory.createApplicationContext(module, { abortOnError: false });
    try {
      return context.get<VaultModuleOptions>(VAULT_OPTIONS);
    } finally {
      await context.close();
    }
  } catch (error) {
    throw missingDependency(error);
  }
}

function missingDependency(error: unknown): unknown {
  if (!isMissingDependency(error)) return error;
  const firstLine = error.message.split('\n')[0] ?? '';
  return new VaultInvalidOptionError(
    `The options of VaultModule.forRootAsync() need a provider that is not there: ${firstLine} ` +
      'They are made before the application exists, so what they inject must come from modules listed in forRootAsync({ imports: [...] }), even if those modules are global. ' +
      'Those modules import what they need themselves, ConfigModule too.',
  );
}
