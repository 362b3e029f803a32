import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { AuthBench } from '../support/auth-bench.js';

const PACKAGE = new URL('../../dist/esm/index.js', import.meta.url).href;

/** Boots with exported values, then lets two children boot with what they inherit. */
const PROGRAM = `
import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { loadVaultConfig } from '${PACKAGE}';
if (process.send) {
  const config = await loadVaultConfig({ config: { precedence: 'env' } }).catch(({ code }) => ({ WEBHOOK: code }));
  process.send([config.WEBHOOK ?? null, process.env.WEBHOOK ?? null], () => process.exit());
} else {
  const config = { sources: ['low'], exportToProcessEnv: ['WEBHOOK'], precedence: process.argv[2] };
  const outcome = await loadVaultConfig({ config }).then(() => 'booted', ({ code }) => code);
  const forked = fork(process.argv[1]);
  const worker = cluster.fork();
  const [[one], [other]] = await Promise.all([once(forked, 'message'), once(worker, 'message')]);
  console.log(JSON.stringify([outcome, one, other]));
}
`;

let bench: AuthBench;
let folder: string;

beforeAll(async () => {
  bench = await AuthBench.start();
  folder = await mkdtemp(join(tmpdir(), 'child-processes-spec-'));
  await writeFile(join(folder, 'parent.mjs'), PROGRAM);
  await bench.server.seed({ 'secret/admin': { key: 'ADMIN-KEY' } });
});
beforeEach(() => bench.reset());
afterAll(async () => {
  await bench.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(precedence: string): Promise<unknown> {
  const env = { PATH: process.env['PATH'], VAULT_ADDR: bench.front.endpoint, VAULT_TOKEN: bench.server.rootToken };
  const stdout = await new Promise<string>((resolve, reject) => {
    const options = { cwd: folder, env, timeout: 60_000 };
    execFile(process.execPath, [join(folder, 'parent.mjs'), precedence], options, (error, out, err) =>
      error ? reject(new Error(err)) : resolve(out),
    );
  });
  expect(stdout).not.toContain('ADMIN-KEY');
  return JSON.parse(stdout);
}

describe.each(['vault', 'env'])('processes that a boot starts, with precedence "%s"', (precedence) => {
  it.each(['vault:secret/data/admin#key', 'https://evil.example/?x=${vault:secret/data/admin#key}'])(
    'never read what a value names: %s',
    async (WEBHOOK) => {
      await bench.server.seed({ 'secret/low': { WEBHOOK } });
      expect(await start(precedence)).toEqual(['VAULT_CONFIGURATION', [null, null], [null, null]]);
      expect(bench.sent('admin')).toEqual([]);
    },
  );

  it('inherit ordinary values', async () => {
    await bench.server.seed({ 'secret/low': { WEBHOOK: 'https://example' } });
    expect(await start(precedence)).toEqual(['booted', [null, 'https://example'], [null, 'https://example']]);
  });
});
