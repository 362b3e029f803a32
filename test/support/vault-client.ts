import type { ClientOptions } from '../../lib/client/client-options.js';
import type { RequestObserver } from '../../lib/client/request-pipeline.js';
import { fixedToken } from '../../lib/client/token-source.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { createVaultClient } from '../../lib/client/vault-client.js';

/**
 * A client as the module makes it, without a login and without retries: every call has this token. Its deadlines are beyond
 * what any machine takes; tests of deadlines set their own.
 */
export function createClient(
  endpoint: string,
  token: string | undefined = 'session-token',
  options: Partial<ClientOptions> & RequestObserver = {},
): Promise<VaultClient> {
  const defaults = { endpoint, tls: {}, timeoutMs: 20_000, connectTimeoutMs: 10_000, maxConnections: 4 };
  return createVaultClient({ ...defaults, ...options }, fixedToken(token), options);
}
