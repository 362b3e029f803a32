import { Logger } from '@nestjs/common';
import type { LoadedConfiguration } from '../config/configuration.js';
import { describeOrigin } from '../config/origins/describe-origin.js';
import type { Origin } from '../config/origins/value-origin.js';
import { valueOrigin } from '../config/origins/value-origin.js';
import { secretId } from '../config/sources/read-secrets.js';
import type { BootLog } from './boot-log.js';

/**
 * Tells what has been loaded: a line with the numbers, and at level `debug` one for each key. Never a value.
 *
 * @param login `undefined` when there was none, because the configuration is a snapshot's
 * @internal
 */
export function logSummary(
  { complete: entries }: Pick<LoadedConfiguration, 'complete'>,
  log: Pick<BootLog, 'log' | 'debug'>,
  login?: { readonly endpoint: string; readonly accessor: string | undefined },
): void {
  const origins = new Set<Origin>();
  entries.forEach(({ origin }) => origins.add(origin));
  const secrets = new Set([...origins].filter(({ secretPath }) => secretPath !== '').map(secretId));
  const accessor = login?.accessor === undefined ? '' : ` (accessor ${login.accessor})`;
  log.log(
    `${login ? `Logged in to ${login.endpoint}${accessor}; ` : ''}${entries.size} configuration key(s) from ${secrets.size} secret(s)`,
  );
  // One line for each key: not worth writing when nobody reads them.
  // Without levels, everything is written; Nest 10 and 11 then call no level enabled.
  if (log instanceof Logger && Logger.isLevelEnabled('error') && !Logger.isLevelEnabled('debug')) return;
  const now = new Date();
  for (const { path, origin } of entries.values()) log.debug(describeOrigin(valueOrigin(path, origin), now));
}
