import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findServerBinary } from '../../lib/server/find-binary.js';
import { startVaultServer } from '../../lib/testing/index.js';

const IMAGE = 'openbao/openbao:2.6.2';

let root: string;
const { PATH, NESTJS_VAULT_CACHE_DIR } = process.env;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'container-spec-'));
});
afterEach(async () => {
  process.env['PATH'] = PATH;
  if (NESTJS_VAULT_CACHE_DIR === undefined) delete process.env['NESTJS_VAULT_CACHE_DIR'];
  else process.env['NESTJS_VAULT_CACHE_DIR'] = NESTJS_VAULT_CACHE_DIR;
  await rm(root, { recursive: true, force: true });
});

/**
 * Stands in for Docker, which needs an engine: it does what the client is asked for, with the real server, but without a
 * container around it. The server then listens on 127.0.0.1 only, as its published ports would.
 */
async function fakeDocker(serverPath: string, log: string): Promise<void> {
  const script = `#!/bin/sh
PATH='${dirname(serverPath)}:/usr/bin:/bin'
echo "$@" | head -n 1 >> '${log}'
case "$1" in
  version) echo 27.0.1; exit ;;
  image) exit 1 ;;
  pull) exit 0 ;;
esac
while [ "$1" != '${IMAGE}' ]; do shift; done
shift
for last; do :; done
config=\${last#-config=}
sed 's/0\\.0\\.0\\.0/127.0.0.1/g' "$config" > "$config.inside"
cat "$config.inside" > "$config"
exec /bin/sh "$@"
`;
  const path = join(root, 'docker');
  await writeFile(path, script);
  await chmod(path, 0o755);
}

describe('startVaultServer with Docker only', () => {
  it('runs the image with its ports on 127.0.0.1, and stops it', async () => {
    const real = await findServerBinary({ version: '2.6.2' });
    if (real.kind !== 'program') throw new Error('This test needs a server program.');
    const log = join(root, 'log');
    await fakeDocker(real.path, log);
    process.env['PATH'] = root;
    process.env['NESTJS_VAULT_CACHE_DIR'] = join(root, 'cache');

    const server = await startVaultServer({ storage: 'file' });
    await server.seed({ 'secret/my-app': { A: 1 } });
    await server.restart();
    await server.unseal();
    expect((await server.request('GET', 'secret/data/my-app')).status).toBe(200);
    await server.stop();
    await expect(fetch(server.endpoint)).rejects.toThrow('fetch failed');

    const calls = (await readFile(log, 'utf8')).trim().split('\n');
    expect(calls.slice(0, 3)).toEqual([
      'version --format {{.Server.Version}}',
      `image inspect ${IMAGE}`,
      `pull --quiet ${IMAGE}`,
    ]);
    expect(calls[3]).toMatch(/^run --rm --interactive /);
    const published = [...(calls[3] ?? '').matchAll(/--publish (\S+)/g)].map((match) => match[1]);
    expect(published).toHaveLength(2);
    expect(published[0]).toBe(`127.0.0.1:${server.port}:${server.port}`);
    for (const mapping of published) expect(mapping).toMatch(/^127\.0\.0\.1:(\d+):\1$/);
  });
});
