import { afterEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { dirname, join } from 'node:path';
import { until } from '../support/until.js';

const root = process.cwd();
const loader = join(root, 'test/support/typescript-loader.mjs');
const library = pathToFileURL(join(root, 'lib/testing/index.ts')).href;

const parents: ChildProcess[] = [];
afterEach(() => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL');
});

interface Started {
  parent: ChildProcess;
  /** Of the server. */
  pid: number;
  watchdog: number;
  scratchDir: string;
}

/** Runs a process of its own that starts a server, and then `afterwards`. */
async function startInAnotherProcess(afterwards: string): Promise<Started> {
  const program = `
    import { startVaultServer } from ${JSON.stringify(library)};
    const server = await startVaultServer({ tls: true });
    console.log(JSON.stringify({ pid: server.pid, caFile: server.caFile }));
    ${afterwards}
  `;
  const parent = run(program);
  let line = '';
  for await (const chunk of parent.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    line += chunk as string;
    if (line.endsWith('\n')) break;
  }
  const { pid, caFile } = JSON.parse(line) as { pid: number; caFile: string };
  const watchdog = Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));
  return { parent, pid, watchdog, scratchDir: dirname(caFile) };
}

function run(program: string): ChildProcessByStdio<null, Readable, null> {
  const args = ['--import', pathToFileURL(loader).href, '--input-type=module', '--eval', program];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  parents.push(parent);
  return parent;
}

/** Whether a process runs; one that has ended and waits for being collected does not. */
function runs(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return state !== '' && !state.startsWith('Z');
  } catch {
    return false;
  }
}

async function expectNothingLeft({ pid, watchdog, scratchDir }: Started): Promise<void> {
  await until(() => !runs(pid) && !runs(watchdog));
  expect(existsSync(scratchDir)).toBe(false);
}

describe('test server whose parent process ends', () => {
  it('server runs while its parent runs', async () => {
    const started = await startInAnotherProcess('setInterval(() => {}, 1000);');
    expect(runs(started.pid)).toBe(true);
    expect(runs(started.watchdog)).toBe(true);
    expect(existsSync(started.scratchDir)).toBe(true);
  });

  it.each([
    ['was killed', 'setInterval(() => {}, 1000);', 'SIGKILL'],
    ['was interrupted', 'setInterval(() => {}, 1000);', 'SIGINT'],
    ['was told to end', 'setInterval(() => {}, 1000);', 'SIGTERM'],
    ['has nothing more to do', '', undefined],
    ['calls process.exit()', 'process.exit(0);', undefined],
  ] as const)('server and its files are removed when the parent %s', async (_, afterwards, signal) => {
    const started = await startInAnotherProcess(afterwards);
    if (signal !== undefined) started.parent.kill(signal);
    if (started.parent.exitCode === null && started.parent.signalCode === null) await once(started.parent, 'exit');
    await expectNothingLeft(started);
  });

  it('server ends when the parent is killed during the start', async () => {
    const script = pathToFileURL(join(root, 'lib/server/run-program.ts')).href;
    const program = `
      import { spawn } from 'node:child_process';
      import { WATCHDOG_SCRIPT } from ${JSON.stringify(script)};
      const options = { stdio: ['ignore', 'inherit', 'inherit', 'pipe'], detached: true };
      spawn('/bin/sh', ['-c', WATCHDOG_SCRIPT, 'test', '/nonexistent', 'sh', '-c', 'echo $$; exec sleep 600'], options);
      process.kill(process.pid, 'SIGKILL');
    `;
    const parent = run(program);
    let text = '';
    // The output ends when the last process that has it open ends: the "sleep", were it not killed.
    for await (const chunk of parent.stdout.setEncoding('utf8')) text += chunk as string;
    if (text !== '') await until(() => !runs(Number(text)));
    await until(() => parent.exitCode !== null || parent.signalCode !== null);
    expect(parent.signalCode).toBe('SIGKILL');
  });
});
