import { access, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { redact } from '../errors/redact.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { CliError } from './cli-command.js';

/** TypeScript last: where it lies beside what was made of it, a Node that cannot run it has what it needs. */
const DEFAULT_FILES = ['js', 'mjs', 'cjs', 'ts', 'mts', 'json'].map((extension) => `nestjs-vault.config.${extension}`);

/**
 * The options of `VaultModule` for a command: from the file named, else from `nestjs-vault.config.*` in the working
 * directory. A module exports them, or a function that makes them, as its default.
 *
 * @returns `undefined` when no file was named and there is none
 * @throws CliError naming the file; nothing of a JSON file is quoted
 * @internal
 */
export async function loadOptions(file: string | undefined): Promise<LoadedOptions | undefined> {
  const path = file ?? (await defaultFile());
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

async function defaultFile(): Promise<string | undefined> {
  for (const name of DEFAULT_FILES) {
    if (
      await access(name).then(
        () => true,
        () => false,
      )
    )
      return name;
  }
  return undefined;
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
