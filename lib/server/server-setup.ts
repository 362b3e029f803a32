import { setTimeout as delay } from 'node:timers/promises';
import type { AdminClient, VaultServerResponse } from './admin-client.js';
import type { VaultServerOptions } from './vault-server.options.js';
import { VaultTestServerError } from './server-error.js';

const POLL_INTERVAL_MS = 20;

/** Root token and unseal keys of a server. @internal */
export interface ServerSecrets {
  rootToken: string;
  unsealKeys: string[];
}

/**
 * Repeats a request until its response meets a condition.
 * @throws VaultTestServerError after `timeoutMs`
 * @internal
 */
export async function waitUntil(
  what: string,
  call: () => Promise<VaultServerResponse>,
  isDone: (response: VaultServerResponse) => boolean,
  timeoutMs: number,
): Promise<VaultServerResponse> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const response = await call();
    if (isDone(response)) return response;
    if (performance.now() > deadline) {
      throw new VaultTestServerError('start', `The server did not become ${what} within ${timeoutMs} ms.`, {
        statusCode: response.status,
      });
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/**
 * Initializes and unseals a server as the options require.
 * @internal
 */
export async function prepareServer(
  admin: AdminClient,
  initialized: boolean,
  { initialize = true, seal = { shares: 1, threshold: 1 }, rootToken, unsealKeys = [] }: VaultServerOptions,
  timeoutMs: number,
): Promise<ServerSecrets> {
  if (initialized) {
    if (unsealKeys.length > 0) await unseal(admin, unsealKeys, timeoutMs);
    return { rootToken: rootToken ?? '', unsealKeys: [...unsealKeys] };
  }
  if (!initialize) return { rootToken: '', unsealKeys: [] };

  const generated = await initializeServer(admin, seal);
  await unseal(admin, generated.unsealKeys, timeoutMs);
  if (rootToken !== undefined) await replaceRootToken(admin, generated.rootToken, rootToken);
  const secrets = { ...generated, ...(rootToken !== undefined && { rootToken }) };
  await mountKv2(admin, 'secret', secrets.rootToken, timeoutMs);
  return secrets;
}

async function initializeServer(
  admin: AdminClient,
  { shares, threshold }: { shares: number; threshold: number },
): Promise<ServerSecrets> {
  const { body } = await admin.request('PUT', 'sys/init', { secret_shares: shares, secret_threshold: threshold }, {});
  const { root_token: rootToken, keys_base64: unsealKeys } = body as { root_token: string; keys_base64: string[] };
  return { rootToken, unsealKeys };
}

/**
 * Submits keys until the server is unsealed, then waits until it is active.
 * @throws VaultTestServerError if it is still sealed after all keys, or not active within `timeoutMs`
 * @internal
 */
export async function unseal(admin: AdminClient, keys: readonly string[], timeoutMs: number): Promise<void> {
  let sealed = true;
  for (const key of keys) {
    const { body } = await admin.request('PUT', 'sys/unseal', { key }, {});
    ({ sealed } = body as { sealed: boolean });
    if (!sealed) break;
  }
  if (sealed) {
    throw new VaultTestServerError(
      'usage',
      `The server is still sealed after ${keys.length} unseal key(s); it needs more.`,
    );
  }
  // An unsealed node serves requests only once it is active, which with Raft requires an election.
  await waitUntil(
    'active',
    () => admin.request('GET', 'sys/health', undefined, { throwOnError: false }),
    ({ status }) => status === 200,
    timeoutMs,
  );
}

/** Replaces the generated root token with one that has the requested id. */
async function replaceRootToken(admin: AdminClient, current: string, id: string): Promise<void> {
  await admin.request('POST', 'auth/token/create-orphan', { id, policies: ['root'] }, { token: current });
  await admin.request('POST', 'auth/token/revoke-self', undefined, { token: current });
}

/**
 * Mounts KV version 2 and waits until it accepts writes.
 * @internal
 */
export async function mountKv2(admin: AdminClient, mountPath: string, token: string, timeoutMs: number): Promise<void> {
  await admin.request('POST', `sys/mounts/${mountPath}`, { type: 'kv', options: { version: '2' } }, { token });
  // A new mount may briefly respond "upgrading from non-versioned to versioned data".
  await waitUntil(
    `ready at ${mountPath}`,
    () => admin.request('GET', `${mountPath}/config`, undefined, { token, throwOnError: false }),
    ({ status }) => status === 200,
    timeoutMs,
  );
}
