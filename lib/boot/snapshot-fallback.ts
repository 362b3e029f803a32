import { within } from '../client/within.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import type { ConfigurationLoader } from '../config/configuration-loader.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import { isVaultError } from '../errors/index.js';
import type { VaultError } from '../errors/index.js';
import { summary } from '../config/sources/load-failures.js';
import type { BootLoad } from './boot-attempts.js';
import { isUnreachable } from './boot-diagnostics.js';
import { withLine } from './with-line.js';

/** What the application starts with; `takenAt` when that is a snapshot. @internal */
export interface StartConfiguration {
  readonly loaded: LoadedConfiguration;
  readonly takenAt?: Date;
  /** Why it is a snapshot. */
  readonly because?: VaultError;
}

/**
 * Waits for Vault as long as `waitMs` allows, or until it is known to be away, and then opens the snapshot. When that
 * must not be used, it goes on waiting: nothing is lost by having tried.
 *
 * @param load reads from Vault, within the deadline of the boot
 * @param onOutage called after each attempt that failed because Vault is away
 * @throws what `load` throws; with a line on the snapshot added when Vault was away
 * @internal
 */
export async function loadOrFallBack(
  load: BootLoad,
  loader: ConfigurationLoader,
  snapshot: ConfigSnapshot,
  onOutage: (error: VaultError) => void,
  signal?: AbortSignal,
): Promise<StartConfiguration> {
  let tell!: (outage: { readonly error: VaultError }) => void;
  const away = new Promise<{ readonly error: VaultError }>((resolve) => (tell = resolve));
  const abandon = new AbortController();
  let live: { readonly loaded: LoadedConfiguration } | { readonly error: unknown } | undefined;
  const limit = signal ? AbortSignal.any([signal, abandon.signal]) : abandon.signal;
  const onFailure = (error: VaultError): void => {
    // With a snapshot nobody waits yet; without one that can be used, this is told after the next attempt.
    if (abandon.signal.aborted) return;
    tell({ error });
    if (refused) onOutage(error);
  };
  let refused = false;
  const loading = load.wait(onFailure, limit).then(
    (loaded) => (live = outcomeOf(loaded)),
    (error: unknown) => (live = { error }),
  );
  const isOutage = ({ error }: { readonly error: unknown }) => isUnreachable(error) && load.refusals.length === 0;
  const first = await within(snapshot.waitMs, Promise.race([loading, away]));
  if (first && 'loaded' in first) return first;
  if (first && !isOutage(first)) throw first.error;
  const kept = await openSnapshot(loader, snapshot);
  // It may have come back while the file was being opened.
  refused = 'refusal' in kept;
  const now = 'refusal' in kept ? await loading : (live as Awaited<typeof loading> | undefined);
  if (now && 'loaded' in now) return now;
  if (now && !isOutage(now)) throw now.error;
  if ('refusal' in kept)
    throw withLine(now?.error as VaultError, `The snapshot does not help either: ${kept.refusal.message}`);
  abandon.abort();
  const given = now ?? (await loading);
  if ('loaded' in given) return given;
  if (!isVaultError(given.error)) throw given.error;
  // What has been refused while something else hung is no outage either.
  if (load.refusals.length > 0) throw summary(load.refusals);
  return { ...kept, because: first?.error && isVaultError(first.error) ? first.error : given.error };
}

/** A namespace of `forFeature` that could not be reached is a failure too as long as there is a snapshot with it. */
function outcomeOf(
  loaded: LoadedConfiguration,
): { readonly loaded: LoadedConfiguration } | { readonly error: VaultError } {
  const error = [...loaded.failedFeatures.values()].find(isUnreachable);
  return error ? { error } : { loaded };
}

async function openSnapshot(
  loader: ConfigurationLoader,
  snapshot: ConfigSnapshot,
): Promise<{ readonly loaded: LoadedConfiguration; readonly takenAt: Date } | { readonly refusal: VaultError }> {
  try {
    const { reads, takenAt } = await snapshot.open();
    // No question to the server, which is away, on what has failed.
    return { loaded: await loader.assemble(reads, { signal: AbortSignal.abort() }), takenAt };
  } catch (error) {
    if (!isVaultError(error)) throw error;
    return { refusal: error };
  }
}
