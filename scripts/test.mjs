// Runs the tests: builds the package (some tests use it as it would be published), then Jest in ESM mode, and closes
// with a line "N passed, N failed" from Jest's own result. Arguments go to Jest; --programs selects the tests that start
// whole programs and clusters, --consumers those that install the package into empty projects, which take minutes and need the package
// registry, and --soak those that run for minutes and print what they measured.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const SUITES = {
  '--programs': 'test/programs/jest.config.mjs',
  '--consumers': 'test/consumers/jest.config.mjs',
  '--soak': 'test/soak/jest.config.mjs',
};
const args = process.argv.slice(2).filter((arg) => !Object.hasOwn(SUITES, arg));
const suite = process.argv.slice(2).find((arg) => Object.hasOwn(SUITES, arg));
const config = suite ? SUITES[suite] : 'jest.config.mjs';
const folder = mkdtempSync(join(tmpdir(), 'nestjs-vault-test-'));
const result = process.env.NESTJS_VAULT_TEST_RESULT ?? join(folder, 'result.json');
const nodeOptions =
  `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim();

function run(script, scriptArgs, env) {
  const { status } = spawnSync(process.execPath, [script, ...scriptArgs], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

let status = run('scripts/build.mjs', []);
if (status === 0) {
  status = run(jest, ['--config', config, '--json', `--outputFile=${result}`, ...args], { NODE_OPTIONS: nodeOptions });
  if (existsSync(result)) status = run('scripts/summary.mjs', [result]) || status;
}
rmSync(folder, { recursive: true, force: true });
process.exit(status);
