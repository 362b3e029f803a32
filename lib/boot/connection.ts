import { resolveCredential } from '../auth/credential.js';
import { fixedToken } from '../client/token-source.js';
import type { VaultClient } from '../client/vault-client.js';
import { createVaultClient } from '../client/vault-client.js';
import type { VaultError } from '../errors/index.js';
import { VaultNotInitializedError, VaultSealedError } from '../errors/index.js';
import type { EventHub } from '../observability/event-hub.js';
import type { Log } from '../observability/log-events.js';
import { SessionManager } from '../session/session-manager.js';
import { VaultSys } from '../sys/vault-sys.js';
import { checkEndpoint } from './resolve-endpoint.js';
import type { ResolvedOptions } from './resolve-options.js';

/** A session at a server, and what uses it. @internal */
export interface Connection {
  readonly session: SessionManager;
  readonly client: VaultClient;
  readonly sys: VaultSys;
  readonly events: EventHub;
}

/**
 * Prepares a connection: loads modules and certificates, and sends nothing.
 *
 * @param onAttemptFailed called for each attempt of a request that has failed
 * @throws VaultInvalidOptionError for certificates or a proxy that cannot be used
 * @internal
 */
export async function prepareConnection(
  { transport, login, shutdown }: ResolvedOptions,
  events: EventHub,
  onAttemptFailed: (error: VaultError) => void = () => undefined,
): Promise<Connection> {
  // The session sends its own requests without the token it supplies to all others.
  const anonymous = await createVaultClient(transport, fixedToken(undefined), {
    onAttemptFailed: ({ error, ...retry }) => {
      onAttemptFailed(error);
      events.emit({ type: 'request-retried', at: new Date(), ...retry });
    },
    onEndpointChanged: (endpoint) => events.emit({ type: 'endpoint-changed', at: new Date(), endpoint }),
  });
  const session = new SessionManager(anonymous, login, { shutdown, emit: (event) => events.emit(event) });
  const client = anonymous.withTokens(session);
  const sys = new VaultSys(client, (given) => {
    const endpoint = checkEndpoint(given, '"endpoints"');
    return createVaultClient({ ...transport, endpoint, otherEndpoints: [] }, session);
  });
  return { session, client, sys, events };
}

/**
 * Unseals the server, if the options say so, and logs in.
 *
 * @throws VaultNotInitializedError for a server without keys; otherwise what the calls are rejected with
 * @internal
 */
export async function connect(
  { session, client, sys }: Connection,
  { unseal }: Pick<ResolvedOptions, 'unseal'>,
  signal: AbortSignal,
  log: Pick<Log, 'log'>,
): Promise<void> {
  if (unseal) {
    const keys = await Promise.all(unseal.keys.map((key, index) => resolveCredential(key, `unseal.keys[${index}]`)));
    for (const { endpoint, outcome } of await sys.unseal(keys, { ...unseal, signal }))
      log.log(`${endpoint}: ${outcome}`);
  }
  try {
    // Open already when an attempt to come back from a snapshot got that far.
    if (session.state === 'starting') await session.login(signal);
  } catch (error) {
    throw await explainUninitialized(error, client, sys, signal);
  }
}

/** Revokes the token and closes every connection. Never throws. @internal */
export async function disconnect({ session, client }: Connection): Promise<void> {
  await session.close();
  await client.close();
}

/** A server without keys calls itself sealed, which would send people looking for keys that do not exist. */
async function explainUninitialized(
  error: unknown,
  { endpoint }: VaultClient,
  sys: VaultSys,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof VaultSealedError)) return error;
  const status = await sys.sealStatus({ signal }).catch(() => undefined);
  if (status?.initialized !== false) return error;
  return new VaultNotInitializedError(
    `The server at ${endpoint} is not initialized. Run "bao operator init" (or "vault operator init") once, and unseal it.`,
    {
      endpoint,
    },
  );
}
