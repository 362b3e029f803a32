import { Logger } from '@nestjs/common';
import type { VaultEvent } from '../../observability/vault-event.js';
import type { ConfigTree } from '../config-tree.js';
import { unknownKeys } from './kept-values.js';
import { printable, quoted, shortList } from '../../errors/printable.js';
import type { VaultRefreshResult } from './configuration-refresher.js';

const logger = new Logger('VaultModule');

/** So many problems are written out: an outage is one for each source. */
const MOST_WRITTEN = 5;

/** @param keys of `refresh.keys` @internal */
export function warnOfUnknownKeys(keys: readonly string[], tree: ConfigTree): void {
  const unknown = unknownKeys(keys, tree);
  if (unknown.length === 0) return;
  logger.warn(
    `"config.refresh.keys" names ${shortList(unknown.map(quoted))}, which the configuration does not have. Correct the name as ConfigService takes it; only a key that an optional secret or a module loaded later adds may be missing.`,
  );
}

/**
 * Tells the log and the listeners of `events$` what refreshes find: changes always, problems when they begin, change, and end.
 * @internal
 */
export class RefreshLog {
  #problems = '';
  readonly #emit: (event: VaultEvent) => void;

  constructor(emit: (event: VaultEvent) => void) {
    this.#emit = emit;
  }

  add({ change, problems, notRefreshed = [] }: VaultRefreshResult): void {
    if (change) {
      const secrets = change.secrets.map(({ mountPath, secretPath, from, to }) => {
        return `${mountPath}/${secretPath} (version ${from ?? '-'} to ${to ?? '-'})`;
      });
      const { keys, removed = [], secrets: versions, at } = change;
      this.#emit({ type: 'config-changed', at, keys, secrets: versions });
      const from = secrets.length === 0 ? '' : `; from ${shortList(secrets)}`;
      const gone = new Set(removed);
      const others = keys.filter((key) => !gone.has(key));
      if (others.length > 0) logger.log(`Configuration changed: ${shortList(others.map(printable))}${from}`);
      // Most often not on purpose: "kv put" replaces the whole secret.
      if (removed.length > 0)
        logger.warn(
          `Removed: ${shortList(removed.map(printable))}${from}. The application no longer has a value from Vault for these keys. If this was not intended: "kv put" replaces all keys of a secret, "kv patch" only those it names.`,
        );
    }
    if (notRefreshed.length > 0)
      logger.log(
        `Not refreshed: ${shortList(notRefreshed.map(printable))}. These keys changed in Vault and keep their value in the application, as the refresh options say. Restart the application to use the new values.`,
      );
    const now = problems.map(({ message }) => message).join('\n');
    if (now === this.#problems) return;
    this.#problems = now;
    this.#emit({ type: 'config-problem', at: new Date(), codes: problems.map(({ code }) => code) });
    if (problems.length > 0) {
      const written = problems.slice(0, MOST_WRITTEN).map(({ message }) => message);
      const others = problems.length - written.length;
      if (others > 0) written.push(`And ${others} more, which are among the "problems" of vault.refresh().`);
      logger.warn(`The ${change ? 'rest of the ' : ''}configuration stays as it was: ${written.join('\n')}`);
    } else logger.log('The configuration is current again.');
  }
}
