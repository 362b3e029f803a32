import type { LoggerService } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { printable, formatList } from '../errors/format.js';
import type { VaultConfigChangedEvent, VaultConfigProblemEvent, VaultEvent } from './vault-event.js';

/** Where the module logs: a Nest logger with these levels. @internal */
export type Log = Required<Pick<LoggerService, 'log' | 'debug' | 'warn' | 'error'>>;

/** An outage is a problem for each source. */
const MAX_LOGGED_PROBLEMS = 5;

/**
 * Logs events: each change of state once, everything that repeats at `debug` only.
 * @internal
 */
export function logEvents(events$: Observable<VaultEvent>, logger: Log): void {
  events$.subscribe((event) => {
    switch (event.type) {
      case 'session-recovering':
        logger.warn(`The session is degraded and recovering. ${event.reason ?? ''}`.trimEnd());
        break;
      case 'session-lost':
        logger.error(
          `The session is lost: there is no valid token. Retrying the login. ${event.reason ?? ''}`.trimEnd(),
        );
        break;
      case 'session-recovered':
        logger.log('The session has recovered.');
        break;
      case 'session-closed':
        logger.debug('The session is closed.');
        break;
      case 'login':
        if (event.again) logger.debug(`Logged in again with ${event.method}${named(event)}.`);
        break;
      case 'token-renewed':
        logger.debug(`Token renewed${named(event)}.`);
        break;
      case 'login-failed':
      case 'renewal-failed':
        logger.debug(`${event.type}: ${event.reason}`);
        break;
      case 'request-retried': {
        const { operation, endpoint, attempt, reason, waitMs } = event;
        logger.debug(
          `Attempt ${attempt} to ${operation} at ${endpoint} failed (${reason}); retrying in ${Math.round(waitMs)} ms`,
        );
        break;
      }
      case 'snapshot-used':
        logger.warn(`STARTED ON A SNAPSHOT, ${JSON.stringify(event.file)}: ${event.reason ?? ''}`);
        break;
      case 'snapshot-left':
        logger.log('Vault is back: the configuration is current again.');
        break;
      case 'snapshot-problem':
        logger.warn(event.reason ?? '');
        break;
      case 'endpoint-changed':
        logger.warn(`Calls now go to ${event.endpoint}`);
        break;
      case 'config-changed':
        logChange(event, logger);
        break;
      case 'config-not-refreshed':
        logger.log(
          `Not refreshed: ${formatList(event.keys.map(printable))}. These keys changed in Vault and keep their value in the application, as the refresh options say. Restart the application to use the new values.`,
        );
        break;
      case 'config-problem':
        logProblems(event, logger);
        break;
    }
  });
}

function logChange({ keys, removed, secrets }: VaultConfigChangedEvent, logger: Log): void {
  const versions = secrets.map(({ mountPath, secretPath, from, to }) => {
    return `${mountPath}/${secretPath} (version ${from ?? '-'} to ${to ?? '-'})`;
  });
  const from = versions.length === 0 ? '' : `; from ${formatList(versions)}`;
  const gone = new Set(removed);
  const others = keys.filter((key) => !gone.has(key));
  if (others.length > 0) logger.log(`Configuration changed: ${formatList(others.map(printable))}${from}`);
  // Most often not on purpose: "kv put" replaces the whole secret.
  if (removed.length > 0)
    logger.warn(
      `Removed: ${formatList(removed.map(printable))}${from}. The application no longer has a value from Vault for these keys. If this was not intended: "kv put" replaces all keys of a secret, "kv patch" only those it names.`,
    );
}

function logProblems({ problems, isPartial }: VaultConfigProblemEvent, logger: Log): void {
  if (problems.length === 0) {
    logger.log('The configuration is current again.');
    return;
  }
  const written = problems.slice(0, MAX_LOGGED_PROBLEMS).map(({ reason }) => reason);
  const others = problems.length - written.length;
  if (others > 0) written.push(`And ${others} more, which are among the "problems" of vault.refresh().`);
  logger.warn(`The ${isPartial ? 'rest of the ' : ''}configuration stays as it was: ${written.join('\n')}`);
}

function named({
  accessor,
  expiresAt,
}: {
  readonly accessor: string | undefined;
  readonly expiresAt?: Date | undefined;
}): string {
  return `${accessor ? ` (accessor ${accessor})` : ''}${expiresAt ? `, until ${expiresAt.toISOString()}` : ''}`;
}
