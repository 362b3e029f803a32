import type { Requester } from '../client/vault-client.js';
import type { VaultRequest } from '../client/vault-request.js';
import {
  VaultInvalidOptionError,
  VaultNotInitializedError,
  VaultRequestError,
  VaultSealedError,
} from '../errors/index.js';
import type { VaultSealStatus } from './server-state.js';
import { parseSealStatus } from './server-state.js';

/**
 * Progress of unsealing one server.
 * @publicApi
 */
export interface VaultUnsealProgress {
  readonly endpoint: string;
  readonly sealed: boolean;
  /** Number of keys accepted so far; equal to `threshold` once the server is unsealed. */
  readonly progress: number;
  /** Number of keys needed. */
  readonly threshold: number;
}

/**
 * Options of {@link VaultSys.unseal}.
 * @publicApi
 */
export interface VaultUnsealOptions {
  /** Servers to unseal, one after another. Default: all endpoints of the module. */
  readonly endpoints?: readonly string[];
  /** Discards the keys of an unfinished attempt first. Default: `false`, which continues that attempt. */
  readonly reset?: boolean;
  /** Called after each key. */
  readonly onProgress?: (progress: VaultUnsealProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Result of unsealing one server.
 * @publicApi
 */
export interface VaultUnsealResult extends VaultUnsealProgress {
  /** `already-unsealed`: the server was not sealed, and no key was sent. */
  readonly outcome: 'unsealed' | 'already-unsealed';
}

/** @internal */
export async function unsealServer(
  client: Requester,
  keys: readonly string[],
  { reset = false, onProgress, signal }: VaultUnsealOptions,
): Promise<VaultUnsealResult> {
  const { endpoint } = client;
  if (!isKeyList(keys)) {
    throw new VaultInvalidOptionError('Unsealing takes a list of keys, none of them empty.');
  }
  const submit = async (
    call: Pick<VaultRequest, 'method' | 'path' | 'operation'> & { body?: object },
  ): Promise<VaultSealStatus> =>
    parseSealStatus(await client.request({ ...call, token: null, namespace: '', signal }), call);
  // An unsealed server reports a progress of 0.
  const report = ({ sealed, progress, threshold }: VaultSealStatus) => ({
    endpoint,
    sealed,
    progress: sealed ? progress : threshold,
    threshold,
  });

  let status = await submit({ method: 'GET', path: 'sys/seal-status', operation: 'read the seal status' });
  if (!status.initialized) {
    throw new VaultNotInitializedError(
      `Cannot unseal ${endpoint}: the server is not initialized. Run "bao operator init" once.`,
      { endpoint },
    );
  }
  if (!status.sealed) return { ...report(status), outcome: 'already-unsealed' };
  if (reset)
    status = await submit({
      method: 'PUT',
      path: 'sys/unseal',
      operation: 'reset the unfinished unseal attempt',
      body: { reset: true },
    });

  for (const [index, key] of keys.entries()) {
    const operation = `submit unseal key ${index + 1} of ${keys.length}`;
    try {
      status = await submit({ method: 'PUT', path: 'sys/unseal', operation, body: { key: key.trim() } });
    } catch (error) {
      throw error instanceof VaultRequestError ? withKeyAdvice(error) : error;
    }
    onProgress?.(report(status));
    if (!status.sealed) return { ...report(status), outcome: 'unsealed' };
  }
  throw new VaultSealedError(
    `${endpoint} is still sealed after ${keys.length} key(s): ${status.progress} of ${status.threshold} are in. ` +
      'A key given twice counts once. Give more keys; if a wrong key may be among those already in, start over with "reset: true".',
    { endpoint, operation: 'unseal' },
  );
}

function isKeyList(keys: unknown): keys is readonly string[] {
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'string' && key.trim() !== '');
}

/** The server checks the keys together once it has enough, so the last one need not be the wrong one. */
function withKeyAdvice(error: VaultRequestError): VaultRequestError {
  return error.withAdvice({
    id: 'check-unseal-keys',
    text: 'One of the keys given so far is wrong or belongs to another server: check them, and start over with "reset: true".',
  });
}
