import type { Configuration } from '../config/configuration.js';
import type { ConfigurationLoader } from '../config/configuration-loader.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import { summary } from '../config/sources/source-errors.js';
import { isVaultError } from '../errors/index.js';
import type { VaultError } from '../errors/index.js';
import { race } from '../lifetime/race.js';
import type { BootAttempts } from './boot-attempts.js';
import { isUnreachable } from './boot-diagnostics.js';

/** What the application starts with; `takenAt` when that is a snapshot. @internal */
export interface StartConfiguration {
  readonly loaded: Configuration;
  readonly takenAt?: Date;
  /** Why it is a snapshot. */
  readonly cause?: VaultError;
}

type Live = { readonly loaded: Configuration } | { readonly error: unknown };

/**
 * Waits for Vault for `snapshot.waitMs`, or until it is known to be away, and then opens the snapshot. When the snapshot
 * cannot be used, it goes on waiting: nothing is lost by having tried.
 *
 * @param attempts read from Vault, within the deadline of the boot
 * @param onOutage called after each attempt that failed because Vault is away, without a snapshot to use
 * @throws what the attempts fail with; with a line on the snapshot when Vault was away
 * @internal
 */
export async function loadWithSnapshotFallback(
  attempts: BootAttempts,
  loader: ConfigurationLoader,
  snapshot: ConfigSnapshot,
  onOutage: (error: VaultError) => void,
  signal?: AbortSignal,
): Promise<StartConfiguration> {
  const abandon = new AbortController();
  const limit = signal ? AbortSignal.any([signal, abandon.signal]) : abandon.signal;
  let isUnusable = false;
  let onFirstOutage!: (outage: { readonly error: VaultError }) => void;
  const firstOutage = new Promise<{ readonly error: VaultError }>((resolve) => (onFirstOutage = resolve));
  const onFailure = (error: VaultError): void => {
    if (abandon.signal.aborted) return;
    onFirstOutage({ error });
    // With a snapshot the boot does not wait. Without one that can be used, this is logged from the next attempt on.
    if (isUnusable) onOutage(error);
  };
  let live: Live | undefined;
  const loading = attempts.untilReachable(onFailure, limit).then(
    (loaded): Live => (live = outcomeOf(loaded)),
    (error: unknown): Live => (live = { error }),
  );
  const isOutage = ({ error }: { readonly error: unknown }) =>
    isUnreachable(error) && attempts.permanentFailures.length === 0;
  const raced = await race(Promise.race([loading, firstOutage]), { timeoutMs: snapshot.waitMs });
  const first = typeof raced === 'symbol' ? undefined : raced;
  if (first && 'loaded' in first) return first;
  if (first && !isOutage(first)) throw first.error;
  const opened = await openSnapshot(loader, snapshot);
  isUnusable = 'error' in opened;
  // Vault may have come back while the file was being opened.
  const now = isUnusable ? await loading : live;
  if (now && 'loaded' in now) return now;
  if (now && !isOutage(now)) throw now.error;
  if ('error' in opened)
    throw (now?.error as VaultError).withAdvice({
      id: 'snapshot-unusable',
      text: `The snapshot does not help either: ${opened.error.message}`,
    });
  abandon.abort();
  const ended = now ?? (await loading);
  if ('loaded' in ended) return ended;
  if (!isVaultError(ended.error)) throw ended.error;
  // A denial while another call did not respond is not an outage either.
  if (attempts.permanentFailures.length > 0) throw summary(attempts.permanentFailures);
  return { ...opened, cause: first?.error && isVaultError(first.error) ? first.error : ended.error };
}

/** A namespace of `forFeature` that could not be reached is a failure too as long as there is a snapshot with it. */
function outcomeOf(loaded: Configuration): Live {
  const error = [...loaded.failedFeatures.values()].find(isUnreachable);
  return error ? { error } : { loaded };
}

async function openSnapshot(
  loader: ConfigurationLoader,
  snapshot: ConfigSnapshot,
): Promise<{ readonly loaded: Configuration; readonly takenAt: Date } | { readonly error: VaultError }> {
  try {
    const { reads, takenAt } = await snapshot.open();
    // The server, which is away, is not asked why something has failed.
    return { loaded: await loader.assemble(reads, { signal: AbortSignal.abort() }), takenAt };
  } catch (error) {
    if (!isVaultError(error)) throw error;
    return { error };
  }
}
