// Runs a selection of the tests on the other supported versions: OpenBao 2.7 instead of 2.6, Node 22 and 24 instead of
// the one at hand. Node comes from the package registry, into a temporary folder. With NESTJS_VAULT_TEST_RESULT_DIR set,
// Jest's results are left there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SERVERS = ['2.7.2'];
const NODES = ['22.23.3', '24.21.0'];
const ON_EVERY_SERVER = [
  ...['kv2', 'connections', 'session-denied', 'session-tokens'].map((name) => `test/integration/${name}`),
  ...['approle', 'jwt', 'cert', 'mfa'].map((name) => `test/integration/auth-${name}`),
  ...['boot.spec', 'refresh', 'namespaces', 'config-'].map((name) => `test/e2e/${name}`),
];
const ON_EVERY_NODE = ['test/unit', ...ON_EVERY_SERVER];

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
const folder = mkdtempSync(join(tmpdir(), 'nestjs-vault-matrix-'));
const results = process.env.NESTJS_VAULT_TEST_RESULT_DIR ?? folder;
const options = { stdio: 'inherit', env: process.env };
let failed = spawnSync(process.execPath, ['scripts/build.mjs'], options).status !== 0;

function runOn(what, node, selection, env) {
  console.log(`\n${what}`);
  const outputFile = join(results, `${what.replace(/\W+/g, '-')}.json`);
  const nodeOptions =
    `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim();
  const { status } = spawnSync(node, [jest, '--json', `--outputFile=${outputFile}`, ...selection], {
    stdio: 'inherit',
    env: { ...process.env, ...env, NODE_OPTIONS: nodeOptions },
  });
  if (existsSync(outputFile)) spawnSync(process.execPath, ['scripts/summary.mjs', outputFile], options);
  failed ||= status !== 0;
}

for (const version of SERVERS) {
  runOn(`OpenBao ${version}`, process.execPath, ON_EVERY_SERVER, { NESTJS_VAULT_SERVER_VERSION: version });
}
for (const version of NODES) {
  const prefix = join(folder, version);
  const install = ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--no-save', `node@${version}`];
  if (spawnSync('npm', install, { ...options, stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) {
    console.error(`Node ${version} could not be installed.`);
    failed = true;
    continue;
  }
  runOn(`Node ${version}`, join(prefix, 'node_modules/node/bin/node'), ON_EVERY_NODE, {});
}
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
