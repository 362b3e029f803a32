import { Logger } from '@nestjs/common';
import { resolveCredential } from '../auth/credential.js';
import { VaultSession } from '../auth/session.js';
import { VaultClient } from '../client/vault-client.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import { ConfigurationLoader } from '../config/configuration-loader.js';
import { VaultAbortedError, VaultNotInitializedError, VaultSealedError, VaultTimeoutError } from '../errors/index.js';
import { VaultSys } from '../sys/vault-sys.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { VaultService } from '../vault.service.js';
import type { ResolvedOptions } from './resolve-options.js';
import { resolveOptions } from './resolve-options.js';
import { VaultRuntime } from './vault-runtime.js';

const logger = new Logger('VaultModule');

/**
 * Logs in and reads the configuration, within the boot's deadline. When anything fails, everything made so far is
 * given back before the error is thrown.
 *
 * @throws VaultConfigurationError when sources cannot be read, another `VaultError` when it does not come that far
 * @internal
 */
export async function boot(options: VaultModuleOptions): Promise<VaultRuntime> {
  const resolved = await resolveOptions(options);
  warnOfWeakTransport(resolved);
  const session = new VaultSession(resolved.login, resolved.shutdown);
  const token = () => VaultSession.tokenOf(session);
  const client = await VaultClient.create(resolved.transport, token);
  const sys = new VaultSys(client, (endpoint) => VaultClient.create({ ...resolved.transport, endpoint }, token));
  try {
    const configuration = await withDeadline(resolved.bootTimeoutMs, client.endpoint, (signal) =>
      load(resolved, session, client, sys, signal),
    );
    report(configuration, client, session);
    return new VaultRuntime(new VaultService(client, session, sys, configuration), configuration, session, client);
  } catch (error) {
    await session.close();
    await client.close();
    throw error;
  }
}

async function load(
  { unseal, config }: ResolvedOptions,
  session: VaultSession,
  client: VaultClient,
  sys: VaultSys,
  signal: AbortSignal,
): Promise<LoadedConfiguration> {
  if (unseal) {
    const keys = await Promise.all(unseal.keys.map((key, index) => resolveCredential(key, `unseal.keys[${index}]`)));
    for (const { endpoint, outcome } of await sys.unseal(keys, { ...unseal, signal }))
      logger.log(`${endpoint}: ${outcome}`);
  }
  try {
    await session.open(client, signal);
  } catch (error) {
    throw await tellUninitialised(error, client, sys, signal);
  }
  return new ConfigurationLoader(client, config).load({ signal });
}

/** A server without keys calls itself sealed, which would send people looking for keys that do not exist. */
async function tellUninitialised(
  error: unknown,
  { endpoint }: VaultClient,
  sys: VaultSys,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof VaultSealedError)) return error;
  const status = await sys.sealStatus({ signal }).catch(() => undefined);
  if (status?.initialized !== false) return error;
  return new VaultNotInitializedError(
    `The server at ${endpoint} is not initialised. Run "bao operator init" (or "vault operator init") once, and unseal it.`,
    {
      endpoint,
    },
  );
}

/** One deadline over the whole boot: calls under way are aborted, and a credential function that hangs is left behind. */
async function withDeadline<T>(
  timeoutMs: number,
  endpoint: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeout = () =>
    new VaultTimeoutError(
      `The application could not be booted on ${endpoint} within ${timeoutMs} ms. Check the server's health, or raise "boot.timeoutMs".`,
      { endpoint, operation: 'boot' },
    );
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(timeout());
      controller.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(controller.signal), expired]);
  } catch (error) {
    throw controller.signal.aborted && error instanceof VaultAbortedError ? timeout() : error;
  } finally {
    clearTimeout(timer);
  }
}

function warnOfWeakTransport({ transport: { endpoint, tls } }: ResolvedOptions): void {
  const { protocol, hostname } = new URL(endpoint);
  const local = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
  if (protocol === 'http:' && !local)
    logger.warn(`${endpoint} is not encrypted: tokens and secrets can be read on the way.`);
  if (protocol === 'https:' && tls.rejectUnauthorized === false)
    logger.warn(`The certificate of ${endpoint} is not verified (tls.rejectUnauthorized is false).`);
}

function report({ entries }: LoadedConfiguration, { endpoint }: VaultClient, { accessor }: VaultSession): void {
  const secrets = new Set<string>();
  for (const { origin } of entries.values()) {
    const { mountPath, secretPath, version } = origin;
    secrets.add(`${mountPath}/${secretPath} (version ${version})`);
  }
  logger.log(
    `Logged in to ${endpoint}${accessor ? ` (accessor ${accessor})` : ''}; ${entries.size} configuration key(s) from ${secrets.size} secret(s)`,
  );
  if (secrets.size > 0) logger.debug([...secrets].join(', '));
}
