import type { Observable } from 'rxjs';
import type { VaultEvent } from './vault-event.js';

/** Where it is written; Nest's `Logger` is one. */
type EventLog = Record<'log' | 'debug' | 'warn' | 'error', (message: string) => void>;

/**
 * Writes down what an operator wants to know: each change of state once, everything that repeats at `debug` only.
 * @internal
 */
export function logEvents(events$: Observable<VaultEvent>, logger: EventLog): void {
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
      case 'config-problem':
        // Written by the refresh itself, which knows more than the event tells.
        break;
    }
  });
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
