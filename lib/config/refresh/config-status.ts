import { Logger } from '@nestjs/common';
import { quoted, formatList } from '../../errors/format.js';
import type { VaultConfigurationProblem, VaultEvent } from '../../observability/vault-event.js';
import type { ConfigTree } from '../config-tree.js';
import type { VaultDegradation } from '../snapshot/snapshot.options.js';
import type { VaultRefreshResult } from './refresher.js';
import { unknownKeys } from './kept-values.js';

const logger = new Logger('VaultModule');

/**
 * The configuration of an application at one moment. Contains no value.
 * @publicApi
 */
export interface VaultConfigurationStatus {
  /** When the values in use were read from Vault, also those of a snapshot. */
  readonly loadedAt: Date;
  /** When all sources were last read without a problem; `undefined` when that has not happened yet. */
  readonly checkedAt: Date | undefined;
  /** Set while the application runs on a snapshot. */
  readonly degraded: VaultDegradation | undefined;
  /** Of the last refresh; empty when there was none. The values in use stay as they are. */
  readonly problems: readonly VaultConfigurationProblem[];
}

/**
 * What is known of the configuration of an application. Its transitions are events.
 * @internal
 */
export class ConfigStatus {
  readonly #emit: (event: VaultEvent) => void;
  #loadedAt: Date;
  #checkedAt: Date | undefined;
  #problems: readonly VaultConfigurationProblem[] = [];

  /** @param checkedAt `undefined` when the values are not from Vault as it was at `loadedAt` */
  constructor(emit: (event: VaultEvent) => void, loadedAt: Date, checkedAt: Date | undefined) {
    this.#emit = emit;
    this.#loadedAt = loadedAt;
    this.#checkedAt = checkedAt;
  }

  at(degraded: VaultDegradation | undefined): VaultConfigurationStatus {
    const [loadedAt, checkedAt, problems] = [this.#loadedAt, this.#checkedAt, this.#problems];
    return { loadedAt, checkedAt, degraded, problems };
  }

  /** A refresh has ended. Changes are always emitted, problems when they begin, change, and end. */
  refreshed({ change, problems, notRefreshed }: VaultRefreshResult): void {
    if (change) {
      const { at, keys, removed = [], secrets } = change;
      this.#loadedAt = at;
      this.#emit({ type: 'config-changed', at, keys, removed, secrets });
    }
    if (notRefreshed) this.#emit({ type: 'config-not-refreshed', at: new Date(), keys: notRefreshed });
    if (problems.length === 0) this.#checkedAt = new Date();
    const before = this.#problems;
    this.#problems = problems.map(({ code, path, message }) => ({ code, path, reason: message }));
    if (reasonsOf(this.#problems) === reasonsOf(before)) return;
    this.#emit({
      type: 'config-problem',
      at: new Date(),
      codes: problems.map(({ code }) => code),
      problems: this.#problems,
      isPartial: change !== undefined,
    });
  }
}

function reasonsOf(problems: readonly VaultConfigurationProblem[]): string {
  return problems.map(({ reason }) => reason).join('\n');
}

/** @param keys of `refresh.keys` @internal */
export function warnAboutUnknownKeys(keys: readonly string[], tree: ConfigTree): void {
  const unknown = unknownKeys(keys, tree);
  if (unknown.length === 0) return;
  logger.warn(
    `"config.refresh.keys" names ${formatList(unknown.map(quoted))}, which the configuration does not have. Correct the name as ConfigService takes it; only a key that an optional secret or a module loaded later adds may be missing.`,
  );
}
