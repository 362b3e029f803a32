#!/usr/bin/env node
import { runCli } from './cli.js';

// Whoever read our messages may have gone: no reason to end.
process.stderr.on('error', () => undefined);
const exitCode = await runCli(process.argv.slice(2));
// Something in the configuration file may hold the process open, such as a connection that it has made.
process.exit(exitCode);
