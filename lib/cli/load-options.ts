import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { VaultError, VaultErrorCode } from '../errors/index.js';
import { isVaultError, VaultConfigurationError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import { findConfigFile } from '../options/config-file.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { CliError } from './cli-command.js';

/**
 * Loads the options of `VaultModule` for a command from `file` or, by default, from `nestjs-vault.config.*` in the working
 * directory. The default export of a module is the options or a function that returns them.
 *
 * @returns `undefined` if `file` is `undefined` and there is no such file
 * @throws CliError naming the file, without the content of a JSON file
 * @internal
 */
export async function loadOptions(file: string | undefined): Promise<LoadedOptions | undefined> {
  const path = file ?? findConfigFile();
  if (path === undefined) return undefined;
  const options = path.endsWith('.json') ? await readJson(path) : await importOptions(path);
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new CliError(
      `${path} does not give options: export an object with the options of VaultModule, or a function that makes one, as its default.`,
    );
  }
  return { options, file: path };
}

/** Options and the file they come from. @internal */
export interface LoadedOptions {
  readonly options: VaultModuleOptions;
  readonly file: string;
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError(`Cannot read ${path} (${errorCode(error)}).`);
  }
  try {
    // Editors on Windows may write a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    // The parser's message quotes the file, so only the position is taken from it, if there is one.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    const line = position && text.slice(0, Number(position)).split('\n').length;
    throw new CliError(`${path} is not valid JSON${line ? `: look at line ${line}` : ''}.`);
  }
}

async function importOptions(path: string): Promise<unknown> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new CliError(`Cannot read ${path} (${errorCode(error)}).`);
  });
  // Node rejects a folder, but some loaders load the index file in it.
  if (stats.isDirectory()) throw new CliError(`Cannot load ${path}: it is a folder.`);
  try {
    const { default: exported } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
    // In TypeScript compiled to CommonJS, the default export is a property of the exports.
    const given = (exported as { default?: unknown } | undefined)?.default ?? exported;
    return await (typeof given === 'function' ? (given as () => unknown)() : given);
  } catch (error) {
    if (errorCode(error) === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new CliError(
        `This version of Node cannot load ${path}. Compile it to JavaScript, or use a Node that runs TypeScript (22.18, 24).`,
      );
    }
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: 'something was thrown' };
    // An error thrown by the file may quote values of the environment.
    throw new CliError(
      `Cannot load ${path}: ${redact(name)}: ${redact(message, secretVariables())}${syntaxErrorHint(path, name, message)}`,
    );
  }
}

function syntaxErrorHint(path: string, name: string, message: string): string {
  if (name !== 'SyntaxError') return '';
  if (!/import|export/.test(message)) return /\.[cm]?js$/.test(path) ? `. For the place: node --check ${path}` : '';
  if (!/\.[jt]s$/.test(path)) return '';
  return `. By the nearest package.json it is CommonJS: name it ${path.replace(/([jt])s$/, 'm$1s')}, or use module.exports.`;
}

/** Values of environment variables whose names suggest a secret. */
function secretVariables(): string[] {
  const named = Object.entries(process.env).filter(([name]) => /TOKEN|SECRET|PASS|KEY|CREDENTIAL/i.test(name));
  return named.flatMap(([, value]) => value ?? []);
}

function errorCode(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unreadable';
}

/**
 * Describes an error, and for one about options, where they can be changed.
 *
 * @param loaded options loaded from a file, if any
 * @internal
 */
export function describeFailure(error: unknown, loaded?: LoadedOptions): string {
  if (isAboutOptions(error)) {
    const place = loaded
      ? `The options are those in ${loaded.file}.`
      : 'Options such as "auth" belong in nestjs-vault.config.mjs in this folder. Variables may also be set in .env.';
    return `${error.message}\n${place}`;
  }
  if (isVaultError(error) || error instanceof CliError) return error.message;
  return `Unexpected ${error instanceof Error ? `${error.name}: ${redact(error.message)}` : 'failure'}.`;
}

/** Whether the options caused the error, rather than a response of the server. @internal */
export function isAboutOptions(error: unknown): error is VaultError {
  if (error instanceof VaultConfigurationError) return error.errors.some(isAboutOptions);
  return isVaultError(error) && OPTION_ERROR_CODES.includes(error.code) && error.path === undefined;
}

const OPTION_ERROR_CODES: readonly VaultErrorCode[] = ['VAULT_INVALID_OPTION', 'VAULT_AUTHENTICATION'];
