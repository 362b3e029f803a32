#!/usr/bin/env node
import { runCli } from './cli.js';

// Whoever read our messages may have gone: no reason to end.
process.stderr.on('error', () => undefined);
// With this code Node ends a program when nothing can settle any more what it waits for, and says nothing.
const STRANDED = 13;
const onExit = (code: number): void => {
  // Set by Node in a listener of its own, when this one has its argument already.
  if (code !== STRANDED && process.exitCode !== STRANDED) return;
  process.stderr.write(
    'nestjs-vault: The file of options waits for something that never comes. Look at its promises.\n',
  );
  process.exitCode = 1;
};
process.once('exit', onExit);
const exitCode = await runCli(process.argv.slice(2));
process.off('exit', onExit);
// Something in the configuration file may hold the process open, such as a connection that it has made.
process.exit(exitCode);
