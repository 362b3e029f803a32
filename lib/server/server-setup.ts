import { setTimeout as delay } from 'node:timers/promises';
import type { AdminClient, VaultServerResponse } from './admin-client.js';
import type { VaultServerOptions } from './vault-server.options.js';
import { VaultTestServerError } from './server-error.js';

const POLL_INTERVAL_MS = 20;

/** What opens a server. @internal */
export interface ServerSecrets {
  rootToken: string;
  unsealKeys: string[];
}

/**
 * Calls until the answer is the wanted one.
 * @internal
 */
export async function waitUntil(
  what: string,
  call: () => Promise<VaultServerResponse>,
  wanted: (answer: VaultServerResponse) => boolean,
  timeoutMs: number,
): Promise<VaultServerResponse> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await call();
    if (wanted(answer)) return answer;
    if (performance.now() > deadline) {
      throw new VaultTestServerError('start', `The server did not become ${what} within ${timeoutMs} ms.`, {
        statusCode: answer.status,
      });
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/**
 * Brings a server that has just started to the state the options ask for.
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

  const drawn = await initializeServer(admin, seal);
  await unseal(admin, drawn.unsealKeys, timeoutMs);
  if (rootToken !== undefined) await replaceRootToken(admin, drawn.rootToken, rootToken);
  const secrets = { ...drawn, ...(rootToken !== undefined && { rootToken }) };
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
 * Submits keys until the server opens, then waits until it serves requests.
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
  // Opened is not yet serving: the node has to become the active one first, which takes Raft an election.
  await waitUntil(
    'active',
    () => admin.request('GET', 'sys/health', undefined, { throwOnError: false }),
    ({ status }) => status === 200,
    timeoutMs,
  );
}

/** Replaces the root token the server has drawn by one with a wanted id. */
async function replaceRootToken(admin: AdminClient, drawn: string, wanted: string): Promise<void> {
  await admin.request('POST', 'auth/token/create-orphan', { id: wanted, policies: ['root'] }, { token: drawn });
  await admin.request('POST', 'auth/token/revoke-self', undefined, { token: drawn });
}

/**
 * Mounts KV version 2 and waits until it takes writes.
 * @internal
 */
export async function mountKv2(admin: AdminClient, mountPath: string, token: string, timeoutMs: number): Promise<void> {
  await admin.request('POST', `sys/mounts/${mountPath}`, { type: 'kv', options: { version: '2' } }, { token });
  // A new mount may answer "upgrading from non-versioned to versioned data" for a moment.
  await waitUntil(
    `ready at ${mountPath}`,
    () => admin.request('GET', `${mountPath}/config`, undefined, { token, throwOnError: false }),
    ({ status }) => status === 200,
    timeoutMs,
  );
}
