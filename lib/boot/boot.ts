import { Logger } from '@nestjs/common';
import { filter } from 'rxjs';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { formatDuration } from '../errors/format.js';
import type { Configuration } from '../config/configuration.js';
import { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { VaultDegradation } from '../config/snapshot/snapshot.options.js';
import { ConfigurationLoader } from '../config/configuration-loader.js';
import { ConfigOutputs } from '../config/outputs.js';
import type { VaultError } from '../errors/index.js';
import { plainAt } from '../config/plain.js';
import { conflictingVariables } from '../options/environment.js';
import { EventHub } from '../observability/event-hub.js';
import { logEvents } from '../observability/log-events.js';
import type { VaultEvent } from '../observability/vault-event.js';
import { checkOptions } from '../options/check-options.js';
import type { VaultModuleOptions } from '../vault.options.js';
import type { ResolvedOptions } from './resolve-options.js';
import { OPTIONS_SHAPE, resolveOptions } from './resolve-options.js';
import type { Log } from '../observability/log-events.js';
import { bootDisabled, isEnabled } from './boot-disabled.js';
import { logAbsentSources, logSummary } from './boot-summary.js';
import type { BootDiagnostics } from './boot-diagnostics.js';
import { connect, disconnect, prepareConnection } from './connection.js';
import { loadWithSnapshotFallback } from './snapshot-fallback.js';
import { Load } from './load.js';
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
): Promise<Load> {
  checkOptions(options, OPTIONS_SHAPE);
  if (!(await isEnabled(options))) return bootDisabled(options, log, features);
  const resolved = await resolveOptions(options, features);
  warnAboutInsecureTransport(resolved, log);
  warnAboutConflictingVariables(options, log);
  const events = new EventHub();
  // A boot that waits for Vault has one line for all of its attempts.
  logEvents(events.events$.pipe(filter(({ type }) => !attempts.isWaiting || !ATTEMPT_EVENTS.includes(type))), log);
  const attempt = async (limit: AbortSignal, diagnostics: BootDiagnostics): Promise<Configuration> => {
    diagnostics.step = 'a function in "unseal.keys"';
    await connect(connection, resolved, limit, log);
    diagnostics.step = 'a factory in "config.load", or a schema';
    return loader.load({ signal: limit });
  };
  const attempts = new BootAttempts(attempt, resolved.bootTimeoutMs, () => client.endpoint);
  const connection = await prepareConnection(resolved, events, (error) => attempts.requestFailed(error));
  const { client, session } = connection;
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
    const runtime = new Load(start, (again) => attempts.once(again), loader, outputs, connection, snapshot);
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
    await disconnect(connection);
    throw error;
  }
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

function outage({ snapshotTakenAt, reason }: VaultDegradation, once: boolean): string {
  const age = formatDuration(Date.now() - snapshotTakenAt.getTime());
  return `Vault cannot be reached, so the configuration is ${age} old. ${once ? '' : 'It changes over as soon as Vault is back. '}${reason}`;
}
