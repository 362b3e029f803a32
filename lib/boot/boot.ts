import { Logger } from '@nestjs/common';
import { filter } from 'rxjs';
import { resolveCredential } from '../auth/credential.js';
import type { RequestObserver } from '../client/request-pipeline.js';
import { fixedToken } from '../client/token-source.js';
import type { VaultClient } from '../client/vault-client.js';
import { createVaultClient } from '../client/vault-client.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { formatDuration } from '../config/format.js';
import type { Configuration } from '../config/configuration.js';
import { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { VaultDegradation } from '../config/snapshot/snapshot.options.js';
import { ConfigurationLoader } from '../config/configuration-loader.js';
import { ConfigOutputs } from '../config/outputs.js';
import type { VaultError } from '../errors/index.js';
import { VaultNotInitializedError, VaultSealedError } from '../errors/index.js';
import { plainAt } from '../config/plain.js';
import { conflictingVariables } from '../options/environment.js';
import { EventHub } from '../observability/event-hub.js';
import { logEvents } from '../observability/log-events.js';
import type { VaultEvent } from '../observability/vault-event.js';
import { checkOptions } from '../options/check-options.js';
import { SessionManager } from '../session/session-manager.js';
import { VaultSys } from '../sys/vault-sys.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { checkEndpoint } from './resolve-endpoint.js';
import type { ResolvedOptions } from './resolve-options.js';
import { OPTIONS_SHAPE, resolveOptions } from './resolve-options.js';
import type { Log } from '../observability/log-events.js';
import { bootDisabled, isEnabled } from './boot-disabled.js';
import { logAbsentSources, logSummary } from './boot-summary.js';
import type { BootDiagnostics } from './boot-diagnostics.js';
import { loadWithSnapshotFallback } from './snapshot-fallback.js';
import { VaultRuntime } from './vault-runtime.js';
import { BootAttempts, WaitProgress } from './boot-attempts.js';

const ATTEMPT_EVENTS: readonly VaultEvent['type'][] = ['request-retried', 'login-failed'];

/** @internal */
export interface BootContext {
  readonly log?: Log;
  readonly signal?: AbortSignal;
  readonly features?: Iterable<NamespaceDefinition>;
  /** Whether nothing follows the first read: a snapshot stays in use. */
  readonly once?: boolean;
}

/**
 * Logs in and reads the configuration, within the boot's deadline. When anything fails, everything made so far is
 * given back before the error is thrown.
 *
 * @param signal gives the boot up
 * @param features namespaces that `forFeature` was called with
 * @throws VaultConfigurationError when sources cannot be read, another `VaultError` when it does not come that far
 * @internal
 */
export async function boot(
  options: VaultModuleOptions,
  { log = new Logger('VaultModule'), signal, features, once = false }: BootContext = {},
): Promise<VaultRuntime> {
  checkOptions(options, OPTIONS_SHAPE);
  if (!(await isEnabled(options))) return bootDisabled(options, log, features);
  const resolved = await resolveOptions(options, features);
  warnAboutInsecureTransport(resolved, log);
  warnAboutConflictingVariables(options, log);
  const events = new EventHub();
  // A boot that waits for Vault has one line for all of its attempts.
  logEvents(events.events$.pipe(filter(({ type }) => !attempts.isWaiting || !ATTEMPT_EVENTS.includes(type))), log);
  const work = async (limit: AbortSignal, diagnostics: BootDiagnostics): Promise<Configuration> => {
    diagnostics.step = 'a function in "unseal.keys"';
    await connect(resolved, session, client, sys, limit, log);
    diagnostics.step = 'a factory in "config.load", or a schema';
    return loader.load({ signal: limit });
  };
  const attempts = new BootAttempts(work, resolved.bootTimeoutMs, () => client.endpoint);
  const observer = observe(events, (error) => attempts.requestFailed(error));
  // The session sends its own requests without the token it supplies to all others.
  const anonymous = await createVaultClient(resolved.transport, fixedToken(undefined), observer);
  const session = new SessionManager(anonymous, resolved.login, {
    shutdown: resolved.shutdown,
    emit: (event) => events.emit(event),
  });
  const client = anonymous.withTokens(session);
  const sys = new VaultSys(client, (given) => {
    const endpoint = checkEndpoint(given, '"endpoints"');
    return createVaultClient({ ...resolved.transport, endpoint, otherEndpoints: [] }, session);
  });
  const loader = new ConfigurationLoader(client, resolved.config);
  const outputs = new ConfigOutputs(resolved.config);
  const snapshot =
    resolved.snapshot &&
    new ConfigSnapshot(resolved.snapshot, resolved.config, resolved.transport, (reason, file) =>
      events.emit({ type: 'snapshot-problem', at: new Date(), file, reason }),
    );
  try {
    const progress = new WaitProgress(log, resolved.bootTimeoutMs);
    const onOutage = (error: VaultError): void => progress.attemptFailed(error);
    const start = snapshot
      ? await loadWithSnapshotFallback(attempts, loader, snapshot, onOutage, signal)
      : { loaded: await attempts.untilReachable(onOutage, signal) };
    await outputs.write(start.loaded);
    const runtime = new VaultRuntime(
      start,
      (again) => attempts.once(again),
      loader,
      outputs,
      session,
      client,
      sys,
      events,
      snapshot,
    );
    logSummary(
      start.loaded,
      log,
      runtime.degraded ? undefined : { endpoint: client.endpoint, accessor: session.status.accessor },
    );
    logAbsentSources(resolved.config.layers, start.loaded.reads, log);
    if (runtime.degraded) {
      events.emit({
        type: 'snapshot-used',
        at: new Date(),
        file: snapshot?.file ?? '',
        reason: outage(runtime.degraded, once),
      });
      if (!once) runtime.recover();
    } else if (start.loaded.failedFeatures.size === 0) {
      // Otherwise once an application is up, and so has none of the namespaces that failed.
      runtime.saveSnapshot(start.loaded.reads);
    }
    return runtime;
  } catch (error) {
    await outputs.close();
    await session.close();
    await client.close();
    throw error;
  }
}

async function connect(
  { unseal }: ResolvedOptions,
  session: SessionManager,
  client: VaultClient,
  sys: VaultSys,
  signal: AbortSignal,
  log: Log,
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
    `The server at ${endpoint} is not initialised. Run "bao operator init" (or "vault operator init") once, and unseal it.`,
    {
      endpoint,
    },
  );
}

function warnAboutConflictingVariables(options: VaultModuleOptions, log: Log): void {
  const isGiven = (option: string): boolean => plainAt(options, option.split('.')) !== undefined;
  for (const [used, unused] of conflictingVariables(isGiven)) {
    const why = process.env[used] === '' ? `${used} is set but empty` : `${used} has another value`;
    log.warn(`${unused} is ignored because ${why} and takes precedence. Unset one of them.`);
  }
}

function warnAboutInsecureTransport(
  { transport: { endpoint, otherEndpoints = [], tls } }: ResolvedOptions,
  log: Log,
): void {
  for (const address of [endpoint, ...otherEndpoints]) {
    const { protocol, hostname } = new URL(address);
    const local = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
    if (protocol === 'http:' && !local)
      log.warn(`${address} is not encrypted: tokens and secrets can be read in transit.`);
    if (protocol === 'https:' && tls.rejectUnauthorized === false)
      log.warn(`The certificate of ${address} is not verified (tls.rejectUnauthorized is false).`);
  }
}

/** Events of what the client does by itself. */
function observe(events: EventHub, onAttemptFailed: (error: VaultError) => void): RequestObserver {
  return {
    onAttemptFailed: ({ error, ...retry }) => {
      onAttemptFailed(error);
      events.emit({ type: 'request-retried', at: new Date(), ...retry });
    },
    onEndpointChanged: (endpoint) => events.emit({ type: 'endpoint-changed', at: new Date(), endpoint }),
  };
}

function outage({ snapshotTakenAt, reason }: VaultDegradation, once: boolean): string {
  const age = formatDuration(Date.now() - snapshotTakenAt.getTime());
  return `Vault cannot be reached, so the configuration is ${age} old. ${once ? '' : 'It changes over as soon as Vault is back. '}${reason}`;
}
