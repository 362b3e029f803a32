import { Logger } from '@nestjs/common';
import type { VaultEvent } from '../../observability/vault-event.js';
import { printable, shortList } from '../printable.js';
import type { VaultRefreshResult } from './configuration-refresher.js';

const logger = new Logger('VaultModule');

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

  add({ change, problems }: VaultRefreshResult): void {
    if (change) {
      const secrets = change.secrets.map(({ mountPath, secretPath, from, to }) => {
        return `${mountPath}/${secretPath} (version ${from ?? '-'} to ${to ?? '-'})`;
      });
      const { keys, secrets: versions, at } = change;
      this.#emit({ type: 'config-changed', at, keys, secrets: versions });
      const from = secrets.length === 0 ? '' : `; from ${shortList(secrets)}`;
      logger.log(`Configuration changed: ${shortList(keys.map(printable))}${from}`);
    }
    const now = problems.map(({ message }) => message).join('\n');
    if (now === this.#problems) return;
    this.#problems = now;
    this.#emit({ type: 'config-problem', at: new Date(), codes: problems.map(({ code }) => code) });
    if (problems.length > 0) logger.warn(`The configuration stays as it was: ${now}`);
    else logger.log('The configuration is current again.');
  }
}
