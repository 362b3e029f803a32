import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { SECOND_SECRETS, SECRETS } from '../matrix/stress/values.mjs';
import { packPackage } from '../support/packed-package.js';
import type { PackedPackage } from '../support/packed-package.js';

const MATRIX = fileURLToPath(new URL('../matrix', import.meta.url));
const MAJORS = ['10', '11', '12'];
const GRAPHS = 200;
/** Far above what the graphs draw on average would be flaky, far below would prove nothing: half of it. */
const FEWEST_CONSUMERS = GRAPHS * 7;
const RUN_LIMIT_MS = 120_000;
const EXIT_LIMIT_MS = 10_000;

interface StressResult {
  nest: string;
  mode: string;
  graphs: number;
  consumers: number;
  misses: number;
  reboots: number;
  seed: number;
  missed: unknown[];
  errors: string[];
}

interface StressRun {
  result: StressResult;
  /** Whether the process ended on its own, with exit code 0, once it had printed its result. */
  leftByItself: boolean;
}

/** Runs the harness in one workspace; ends it when it does not end itself. */
async function stress(major: string, format: string, mode: string, env: NodeJS.ProcessEnv): Promise<StressRun> {
  const seed = process.env['STRESS_SEED'] ?? String(Date.now() % 1_000_000);
  const flags = ['--mode', mode, '--format', format, '--graphs', String(GRAPHS), '--seed', seed];
  const child = spawn(process.execPath, ['--expose-gc', '../stress.mjs', ...flags], {
    cwd: `${MATRIX}/nest${major}`,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let limit = setTimeout(() => child.kill('SIGKILL'), RUN_LIMIT_MS);
  let output = '';
  let problems = '';
  child.stderr.on('data', (chunk: Buffer) => (problems += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (!output.endsWith('\n')) return;
    clearTimeout(limit);
    limit = setTimeout(() => child.kill('SIGKILL'), EXIT_LIMIT_MS);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(limit);
  if (output === '') throw new Error(`The harness printed no result, seed ${seed}, exit code ${code}:\n${problems}`);
  return { result: JSON.parse(output) as StressResult, leftByItself: code === 0 };
}

describe('boot order', () => {
  let server: VaultServer;
  let packed: PackedPackage;

  beforeAll(async () => {
    packed = await packPackage();
    for (const major of MAJORS) await packed.unpackInto(`${MATRIX}/nest${major}`);
    server = await startVaultServer();
    await server.seed({ 'secret/stress': SECRETS, 'secret/stress-second': SECOND_SECRETS });
  }, RUN_LIMIT_MS);

  afterAll(async () => {
    await server?.stop();
    await packed?.remove();
  });

  describe.each(MAJORS)('on Nest %s', (major) => {
    it.each(['esm', 'cjs'])(
      'shows every consumer every secret (%s)',
      async (format) => {
        const env = { VAULT_ADDR: server.endpoint, VAULT_TOKEN: server.rootToken };
        const { result, leftByItself } = await stress(major, format, 'vault', env);
        const line = JSON.stringify(result, null, 2);
        expect({ line, misses: result.misses, errors: result.errors }).toEqual({ line, misses: 0, errors: [] });
        expect(result.nest.split('.')[0]).toBe(major);
        expect(result.consumers).toBeGreaterThan(FEWEST_CONSUMERS);
        expect(result.reboots).toBeGreaterThan(0);
        expect(leftByItself).toBe(true);
      },
      RUN_LIMIT_MS + EXIT_LIMIT_MS,
    );

    it(
      'would notice: the plain asynchronous loader leaves consumers without their values',
      async () => {
        const { result } = await stress(major, 'esm', 'plain', {});
        expect(result.errors).toEqual([]);
        expect(result.nest.split('.')[0]).toBe(major);
        expect(result.misses).toBeGreaterThan(GRAPHS);
      },
      RUN_LIMIT_MS + EXIT_LIMIT_MS,
    );
  });
});
