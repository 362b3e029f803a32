import { readFileSync, realpathSync, rmSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Login } from '../auth/login.js';
import { publishRegisteredSession } from '../boot/registered-session.js';
import { hasReferenceForm } from '../config/references/reference.js';
import { findConfigFile } from '../options/config-file.js';
import { claimVariable } from '../options/process-environment.js';
import { RESOLVED_BY } from '../options/environment.js';
import type { RegisteredValues, RegisterOutcome, RegisterTask } from './outcome.js';

/** How long a token may wait for an application that takes it over. */
const HAND_OVER_MS = 60_000;
/** Longer than any login may take. */
const MAX_WAIT_MS = 600_000;
/** Programs that start the application as another process, which loads this file itself. */
const LAUNCHERS =
  /[\\/]node_modules[\\/](?:npm|pnpm|yarn|corepack|@nestjs[\\/]cli|tsx|nodemon|ts-node-dev|concurrently|cross-env|env-cmd|dotenv-cli|nestjs-vault)[\\/]/;

const source = resolve(findConfigFile() ?? '.');
if (!isLauncher()) register();

/**
 * Resolves references and sources before the next module is loaded: the thread waits for a worker that does so. As nothing
 * here is asynchronous, it works with `--import`, with `--require`, and as the first import of a program.
 */
function register(): void {
  // A process may be started by one that has done this, or by `nestjs-vault run`.
  const sourcesResolved = process.env[RESOLVED_BY]?.replace(/^\w+:/, '') === source;
  if (!hasReferences() && (sourcesResolved || findConfigFile() === undefined)) return;
  const { worker, outcome } = waitForWorker(sourcesResolved);
  for (const warning of outcome.warnings) writeSync(2, `nestjs-vault: ${warning}\n`);
  if (outcome.problem !== undefined) {
    writeSync(2, `nestjs-vault: ${outcome.problem}\n`);
    process.exit(1);
  }
  worker.unref();
  if (outcome.values) adopt(outcome.values, worker);
}

function waitForWorker(sourcesResolved: boolean): { readonly worker: Worker; readonly outcome: RegisterOutcome } {
  const { port1, port2 } = new MessageChannel();
  const done = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const task: RegisterTask = { port: port2, done, sourcesResolved };
  const { NODE_OPTIONS: _preloads, ...env } = process.env;
  // Only there are ES modules, and so files of options in any format.
  const worker = new Worker(join(__dirname, '../../esm/register/worker.js'), {
    workerData: task,
    transferList: [port2],
    // Without what is preloaded in this thread, such as this file.
    execArgv: [],
    env,
  });
  worker.on('error', () => undefined);
  Atomics.wait(done, 0, 0, MAX_WAIT_MS);
  const outcome = receiveMessageOnPort(port1)?.message as RegisterOutcome | undefined;
  port1.close();
  return {
    worker,
    outcome: outcome ?? { warnings: [], problem: `The configuration was not read within ${MAX_WAIT_MS / 1000} s.` },
  };
}

function adopt({ variables, identity, login, files }: RegisteredValues, worker: Worker): void {
  // What a VaultModule resolves is what was there before, so that it can refresh and explain it.
  for (const [name, value] of variables) claimVariable(variables, name, value);
  process.env[RESOLVED_BY] = `register:${source}`;
  if (files.length > 0)
    process.on('exit', () => files.forEach((file) => rmSync(file, { recursive: true, force: true })));
  const held = login && holdLogin(login, worker);
  publishRegisteredSession({
    identity,
    takeLogin: () => held?.(),
  });
}

/** Revokes the token at the end of the process or after a while, unless it is taken before. */
function holdLogin(login: Login, worker: Worker): () => Login | undefined {
  const since = performance.now();
  let held: Login | undefined = login;
  const end = (how: 'revoke' | 'release'): void => {
    held = undefined;
    clearTimeout(timer);
    process.off('beforeExit', atEnd);
    worker.postMessage(how);
  };
  const atEnd = (): void => {
    worker.ref();
    end('revoke');
  };
  const timer = setTimeout(() => end('revoke'), HAND_OVER_MS).unref();
  process.on('beforeExit', atEnd);
  return () => {
    if (!held) return undefined;
    const taken = held;
    end('release');
    const ageS = Math.ceil((performance.now() - since) / 1000);
    return { ...taken, leaseDuration: taken.leaseDuration === 0 ? 0 : Math.max(1, taken.leaseDuration - ageS) };
  };
}

function hasReferences(): boolean {
  let file: NodeJS.Dict<string> = {};
  try {
    file = parseEnv(readFileSync('.env', 'utf8'));
  } catch {
    // There need not be one.
  }
  return Object.values({ ...file, ...process.env }).some((text) => text !== undefined && hasReferenceForm(text));
}

function isLauncher(): boolean {
  try {
    return LAUNCHERS.test(realpathSync(process.argv[1] ?? ''));
  } catch {
    return false;
  }
}
