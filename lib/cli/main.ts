#!/usr/bin/env node
import { runCli } from './cli.js';

// A closed standard error must not end the command.
process.stderr.on('error', () => undefined);
// Node's exit code for a top-level await that can never settle.
const EXIT_UNSETTLED_AWAIT = 13;
const onExit = (code: number): void => {
  // Node may set process.exitCode only after this listener got its argument.
  if (code !== EXIT_UNSETTLED_AWAIT && process.exitCode !== EXIT_UNSETTLED_AWAIT) return;
  process.stderr.write(
    'nestjs-vault: The file of options waits for something that never comes. Look at its promises.\n',
  );
  process.exitCode = 1;
};
process.once('exit', onExit);
const exitCode = await runCli(process.argv.slice(2));
process.off('exit', onExit);
// Exits explicitly, because the options file may have opened a connection that keeps the process alive.
process.exit(exitCode);
