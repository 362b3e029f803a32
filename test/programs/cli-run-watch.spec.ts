import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { canary, findLeaks } from '../support/canary.js';
import type { Run } from '../support/cli-run.js';
import { CliBench, runs } from '../support/cli-run.js';

let bench: CliBench;
let tokens: number;

beforeAll(async () => {
  bench = await CliBench.start();
  await bench.server.seed({ 'secret/db': { password: 'x y' } });
  tokens = await bench.countTokens();
});
beforeEach(() => bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'before' } }));
afterEach(() => bench.clear());
afterAll(() => bench.stop());

const HOLDS = 'setInterval(() => {}, 1000); console.log(process.pid, process.env.SMTP_PASSWORD);';

function watch(command: string | string[], config = 'vault.mjs', flags: string[] = []): Run {
  return bench.run(['--config', config, '--watch', '--interval-ms', '50', ...flags], command);
}

/** The processes that have said their number. */
function pids(run: Run): number[] {
  return [...run.stdout.matchAll(/^(\d+)/gm)].map(([, pid]) => Number(pid));
}

describe('nestjs-vault run --watch', () => {
  it('restarts the command on a changed value, and not while Vault is sealed', async () => {
    const run = watch(HOLDS);
    await run.printed('before');
    // A new version with the same values is no change.
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'before' } });
    await bench.server.seal();
    await run.said('keeps running as it is');
    await bench.server.unseal();
    await run.said('can be read again');
    expect(pids(run)).toHaveLength(1);
    expect(run.stderr.match(/keeps running/g)).toHaveLength(1);
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'after' } });
    await run.printed('after');
    const [first = 0, second = 0] = pids(run);
    expect([first === second, runs(first)]).toEqual([false, false]);
    expect(run.stderr).toContain('Changed: SMTP_PASSWORD. The command is restarted.');
    expect(run.stderr).not.toMatch(/"before"|"after"/);
    run.child.kill('SIGTERM');
    expect(await run.end()).toBe(143);
    expect(runs(second)).toBe(false);
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('exits when the command exits, also right after a restart', async () => {
    const run = watch(`process.env.SMTP_PASSWORD === 'bad' && process.exit(9); ${HOLDS}`);
    await run.printed('before');
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'bad' } });
    expect(await run.end()).toBe(9);
    expect(run.stderr.match(/restarted/g)).toHaveLength(1);
    expect(await bench.countTokens()).toBe(tokens);
  });

  it('kills the command and its child processes after the grace period, then restarts it', async () => {
    // The shell ends at once; what it has started does not.
    const run = watch(['sh', '-c', `"$0" -e "process.on('SIGTERM', () => {}); $1"; true`, process.execPath, HOLDS], 'vault.mjs', ['--grace-ms', '100']); // prettier-ignore
    await run.printed('before');
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'after' } });
    await run.printed('after');
    const [first = 0, second = 0] = pids(run);
    expect([runs(first), runs(second)]).toEqual([false, true]);
  });

  it('restarts once for all changes during a restart', async () => {
    const run = watch(`process.on('SIGTERM', () => console.log('ends')); process.on('SIGUSR2', () => process.exit(0)); ${HOLDS}`); // prettier-ignore
    await run.printed('before');
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'between' } });
    await run.printed('ends');
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'after' } });
    await run.until(() => run.stderr.match(/Changed: SMTP_PASSWORD/g)?.length === 2);
    run.child.kill('SIGUSR2');
    await run.printed('after');
    expect(run.stdout).toMatch(/^\d+ before\nends\n\d+ after\n$/);
    run.child.kill('SIGUSR2');
    expect(await run.end()).toBe(0);
  });

  it('keeps the old values when new ones are invalid, denied or too large, and logs that once', async () => {
    const wrong = canary('wrong-value');
    await bench.write(
      'strict.mjs',
      `import options from './vault.mjs';
      const validate = (value) =>
        value.SMTP_PASSWORD === 'before'
          ? { value }
          : { issues: [{ message: 'is ' + value.SMTP_PASSWORD, path: ['SMTP_PASSWORD'] }] };
      export default async () => ({
        ...(await options()),
        config: { sources: ['app'], schema: { '~standard': { version: 1, vendor: 'spec', validate } } },
      });`,
    );
    const run = watch(HOLDS, 'strict.mjs');
    await run.printed('before');
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: wrong } });
    await run.said('SMTP_PASSWORD');
    await bench.allow(false);
    await run.said('path "secret/data/app"');
    await bench.allow(true);
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'before', PATH: wrong } });
    await run.said('PATH changes how programs run');
    expect([pids(run).length, run.stderr.match(/keeps running/g)?.length]).toEqual([1, 3]);
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: 'before', HUGE: wrong.repeat(200_000) } });
    await run.said('E2BIG');
    await run.until(() => pids(run).length === 2);
    expect(run.stderr).toContain('The command goes on with the former values.');
    expect(run.stdout).toMatch(/^\d+ before\n\d+ before\n$/);
    expect(findLeaks(run.stderr)).toEqual([]);
  });
});
