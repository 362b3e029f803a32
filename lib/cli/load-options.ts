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
 * The options of `VaultModule` for a command: from the file named, else from `nestjs-vault.config.*` in the working
 * directory. A module exports them, or a function that makes them, as its default.
 *
 * @returns `undefined` when no file was named and there is none
 * @throws CliError naming the file; nothing of a JSON file is quoted
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
    throw new CliError(`Cannot read ${path} (${codeOf(error)}).`);
  }
  try {
    // Editors on Windows put a byte order mark in front.
    return JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  } catch (error) {
    // The parser would quote what it stumbled over. It does not always say where that was.
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    const line = position && text.slice(0, Number(position)).split('\n').length;
    throw new CliError(`${path} is not valid JSON${line ? `: look at line ${line}` : ''}.`);
  }
}

async function importOptions(path: string): Promise<unknown> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new CliError(`Cannot read ${path} (${codeOf(error)}).`);
  });
  // Node refuses one; other loaders take what lies in it.
  if (stats.isDirectory()) throw new CliError(`Cannot load ${path}: it is a folder.`);
  try {
    const { default: exported } = (await import(pathToFileURL(resolve(path)).href)) as { default?: unknown };
    // TypeScript compiled to CommonJS puts its default export into the exports.
    const given = (exported as { default?: unknown } | undefined)?.default ?? exported;
    return await (typeof given === 'function' ? (given as () => unknown)() : given);
  } catch (error) {
    if (codeOf(error) === 'ERR_UNKNOWN_FILE_EXTENSION') {
      throw new CliError(
        `This version of Node cannot load ${path}. Compile it to JavaScript, or use a Node that runs TypeScript (22.18, 24).`,
      );
    }
    const { name, message } = error instanceof Error ? error : { name: 'Error', message: 'something was thrown' };
    // What the file itself throws may quote what it has read from the environment.
    throw new CliError(
      `Cannot load ${path}: ${redact(name)}: ${redact(message, credentials())}${hintFor(path, name, message)}`,
    );
  }
}

function hintFor(path: string, name: string, message: string): string {
  if (name !== 'SyntaxError') return '';
  if (!/import|export/.test(message)) return /\.[cm]?js$/.test(path) ? `. For the place: node --check ${path}` : '';
  if (!/\.[jt]s$/.test(path)) return '';
  return `. By the nearest package.json it is CommonJS: name it ${path.replace(/([jt])s$/, 'm$1s')}, or use module.exports.`;
}

/** Values of variables that by their names are secrets. */
function credentials(): string[] {
  const named = Object.entries(process.env).filter(([name]) => /TOKEN|SECRET|PASS|KEY|CREDENTIAL/i.test(name));
  return named.flatMap(([, value]) => value ?? []);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unreadable';
}

/**
 * What to print about an error, with the place of the options when they are the cause.
 *
 * @param loaded the options in use, when they come from a file
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

/** Whether it is about the options rather than a response of the server. @internal */
export function isAboutOptions(error: unknown): error is VaultError {
  if (error instanceof VaultConfigurationError) return error.errors.some(isAboutOptions);
  return isVaultError(error) && ABOUT_OPTIONS.includes(error.code) && error.path === undefined;
}

const ABOUT_OPTIONS: readonly VaultErrorCode[] = ['VAULT_INVALID_OPTION', 'VAULT_AUTHENTICATION'];
