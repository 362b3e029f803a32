import { Logger } from '@nestjs/common';
import type { VaultRefreshResult } from './configuration-refresher.js';

const logger = new Logger('VaultModule');

/**
 * Tells the log what refreshes find: changes always, problems when they begin, change, and end.
 * @internal
 */
export class RefreshLog {
  #problems = '';

  add({ change, problems }: VaultRefreshResult): void {
    if (change) {
      const secrets = change.secrets.map(({ mountPath, secretPath, from, to }) => {
        return `${mountPath}/${secretPath} (version ${from ?? '-'} to ${to ?? '-'})`;
      });
      logger.log(`Configuration changed: ${change.keys.join(', ')}; from ${secrets.join(', ')}`);
    }
    const now = problems.map(({ message }) => message).join('\n');
    if (now === this.#problems) return;
    this.#problems = now;
    if (problems.length > 0) logger.warn(`The configuration stays as it was: ${now}`);
    else logger.log('The configuration is current again.');
  }
}
