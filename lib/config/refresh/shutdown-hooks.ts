import { Logger } from '@nestjs/common';

const logger = new Logger('VaultModule');

/** How the listener of Nest 10 to 12 is called; a test pins it. */
const NEST_LISTENER = 'cleanup';

/**
 * Warns when Nest is told to end the application on SIGHUP, which `enableShutdownHooks()` without a list of signals does:
 * whoever asked for a refresh on that signal would not expect it.
 * @internal
 */
export function warnOfShutdownHooks(): void {
  if (!process.listeners('SIGHUP').some(({ name }) => name === NEST_LISTENER)) return;
  logger.warn(
    "\"config.refresh.sighup\": SIGHUP ends the application, because enableShutdownHooks() takes every signal. Name those that shall end it: enableShutdownHooks(['SIGTERM', 'SIGINT']).",
  );
}
