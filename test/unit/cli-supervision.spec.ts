import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SupervisedCommand } from '../../lib/cli/run/supervised-command.js';
import { watchEnvironment } from '../../lib/cli/run/watch-environment.js';
import { VaultConnectionError, VaultPermissionError, VaultSealedError } from '../../lib/errors/index.js';

describe('watchEnvironment', () => {
  const HOUR_MS = 3_600_000;
  const said: string[] = [];
  const output = { info: (line: string) => said.push(line), warn: (line: string) => said.push(line) };
  /** When it was read, since it began. */
  const looks: number[] = [];
  const changes: unknown[] = [];
  let stop: () => void;

  beforeEach(() => {
    jest.useFakeTimers();
    for (const list of [said, looks, changes]) list.length = 0;
  });
  afterEach(() => {
    stop();
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  function watch(read: (round: number) => Promise<Record<string, string>>, intervalMs = 60_000): void {
    const start = Date.now();
    stop = watchEnvironment({
      values: { A: '0' },
      read: () => read(looks.push(Date.now() - start)),
      onChange: (values) => changes.push(values),
      intervalMs,
      output: output as never,
    });
  }

  const distances = (): number[] => looks.slice(1).map((at, index) => Math.round((at - (looks[index] ?? 0)) / 1000));

  it('polls first within one interval, then at the interval ± 10 %', async () => {
    jest.spyOn(Math, 'random').mockReturnValueOnce(0.25).mockReturnValueOnce(0).mockReturnValueOnce(1);
    watch(() => Promise.resolve({ A: '0' }));
    await jest.advanceTimersByTimeAsync(140_000);
    expect([looks, changes, said]).toEqual([[15_000, 69_000, 135_000], [], []]);
  });

  it('backs off while every poll finds a change, until one finds none', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    watch((round) => Promise.resolve({ A: String(Math.min(round, 7)) }));
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect(distances().slice(0, 9)).toEqual([60, 120, 240, 300, 300, 300, 300, 60, 60]);
    expect(changes).toHaveLength(7);
    expect(said[0]).toBe('Changed: A. The command is restarted.');
    expect(said[1]).toContain('2 looks in a row');
  });

  it('backs off while reads fail, and logs each new failure and the recovery once', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    const failures = [
      new VaultConnectionError('no answer in 1 ms'),
      new VaultConnectionError('no answer in 2 ms'),
      new VaultSealedError('sealed'),
      ...['denied', 'denied', 'denied too', 'denied too'].map((message) => new VaultPermissionError(message)),
    ];
    watch((round) => {
      const failure = failures[round - 1];
      return failure ? Promise.reject(failure) : Promise.resolve({ A: '0' });
    });
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect(distances().slice(0, 9)).toEqual([120, 240, 300, 300, 300, 300, 300, 60, 60]);
    expect([said, changes]).toEqual([
      [
        'The command keeps running as it is: no answer in 1 ms',
        'The command keeps running as it is: denied',
        'The command keeps running as it is: denied too',
        'The configuration can be read again.',
      ],
      [],
    ]);
  });

  it('supports intervals beyond the limit of a timer', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.99);
    watch(() => Promise.resolve({ A: '0' }), 2 ** 31 - 1);
    await jest.advanceTimersByTimeAsync(2 ** 31 - 1);
    expect(looks).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect(looks).toHaveLength(1);
  });

  it('reports nothing after it has been stopped', async () => {
    let answer: (values: Record<string, string>) => void = () => undefined;
    watch(() => new Promise((resolve) => (answer = resolve)));
    await jest.advanceTimersByTimeAsync(60_000);
    stop();
    answer({ A: '1' });
    await jest.advanceTimersByTimeAsync(HOUR_MS);
    expect([looks.length, changes, said]).toEqual([1, [], []]);
  });
});

describe('SupervisedCommand', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cli-supervision-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('does not restart a command after a termination signal', async () => {
    const file = join(folder, 'log');
    // Says when it has started and when it was asked to end, and ends when it gets SIGUSR2.
    const program = `const log = (text) => require('node:fs').appendFileSync(process.env.LOG, text);
      process.on('SIGTERM', () => log('term '));
      process.on('SIGUSR2', () => process.exit(6));
      setInterval(() => {}, 1000);
      log(process.env.ROUND + ' ');`;
    const output = { warn: jest.fn(), error: jest.fn() };
    const command = new SupervisedCommand([process.execPath, '-e', program], 10_000, output);
    const env = { PATH: process.env['PATH'], LOG: file };
    const logged = async (text: string): Promise<void> => {
      while ((await readFile(file, 'utf8').catch(() => '')) !== text) await new Promise(setImmediate);
    };
    const exitCode = command.run({ ...env, ROUND: 'first' });
    await logged('first ');
    command.signal('SIGTERM');
    command.restart({ ...env, ROUND: 'second' });
    await logged('first term ');
    command.signal('SIGUSR2');
    expect(await exitCode).toBe(6);
    await logged('first term ');
    expect([output.warn, output.error].flatMap(({ mock }) => mock.calls)).toEqual([]);
  });
});
