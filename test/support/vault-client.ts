import { VaultClient } from '../../lib/client/vault-client.js';
import { fixedToken } from '../../lib/client/token-source.js';
import type { TransportOptions } from '../../lib/client/transport.options.js';

/**
 * A client as the module makes it, without a login and without repetitions: every call carries this token. Its deadlines
 * are beyond what any machine takes; tests of deadlines set their own.
 */
export function createClient(
  endpoint: string,
  token: string | undefined = 'session-token',
  options: Partial<TransportOptions> = {},
): Promise<VaultClient> {
  const defaults = { endpoint, tls: {}, timeoutMs: 20_000, connectTimeoutMs: 10_000, maxConnections: 4 };
  return VaultClient.create({ ...defaults, ...options }, fixedToken(token));
}
