import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, jest } from '@jest/globals';
import type { VaultModuleOptions } from '../../lib/index.js';
import { loadVaultConfig } from '../../lib/index.js';
import { useAppBench } from '../support/app-bench.js';
import { forwardTo, json } from '../support/fault-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WRITES = 25;

const bench = useAppBench();

it('replicas that write one snapshot at once leave no boot with half of it, or with none', async () => {
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  const folder = await mkdtemp(join(tmpdir(), 'snapshot-shared-'));
  const away = json(503, { errors: ['Vault is sealed'] });
  bench.front.answerWith(
    forwardTo(bench.server.endpoint, {
      intercept: (request, response, forward) =>
        request.headers['x-away'] ? away(request, response) : (forward(), undefined),
    }),
  );
  const options: VaultModuleOptions = {
    endpoint: bench.front.endpoint,
    auth: { method: 'token', token: bench.server.rootToken },
    request: { retries: 0 },
    config: {
      sources: ['shared'],
      snapshot: { file: join(folder, 'snapshot'), key: randomBytes(32).toString('base64') },
    },
  };
  let version = 0;
  const write = () => {
    const text = `v${++version}-`.repeat(10_000);
    return bench.server.seed({ 'secret/shared': { first: text, second: text } });
  };
  await write();
  await loadVaultConfig(options);

  let writing = 2;
  const replica = async () => {
    const program = `import { loadVaultConfig } from 'nestjs-vault';
      for (let n = 0; n < ${WRITES}; n++) await loadVaultConfig(JSON.parse(process.env.OPTIONS));`;
    const args = ['--input-type=module', '--eval', program];
    const child = promisify(execFile)(process.execPath, args, { cwd: ROOT, env: { OPTIONS: JSON.stringify(options) } });
    await child.finally(() => (writing -= 1));
  };
  const seen = new Set<unknown>();
  const reader = async () => {
    while (writing > 0) {
      const { first, second } = await loadVaultConfig({
        ...options,
        request: { retries: 0, headers: { 'x-away': '1' } },
      });
      if (first !== second) throw new Error('half of two snapshots');
      seen.add(first);
    }
  };
  const rotation = async () => {
    while (writing > 0) await write();
  };
  try {
    await Promise.all([replica(), replica(), reader(), rotation()]);
    expect(seen.size).toBeGreaterThan(3);
    expect(warn.mock.calls.filter(([text]) => !/STARTED ON A SNAPSHOT/.test(String(text)))).toEqual([]);
    expect(await readdir(folder)).toEqual(['snapshot']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
