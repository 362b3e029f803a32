import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { VaultSource } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import { ConfigTree } from '../../lib/config/config-tree.js';
import type { Configuration } from '../../lib/config/configuration.js';
import { SecretFiles } from '../../lib/config/files/secret-files.js';
import { NO_SECRET } from '../../lib/config/origins.js';
import { ConfigOutputs } from '../../lib/config/outputs.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
let folder: string;
let pem: string;
const json = '{ "a" : [1, 2.50, "\\u00e9é\\n"],\r\n\t"b":{} }\n';
const binary = Buffer.from([0, 255, 128, 10, 13]);
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  server = await startVaultServer();
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-files-'));
  pem = (await createCertificates()).key;
  await server.seed({ 'secret/tls': { key: pem, JSON_TEXT: json, store: binary.toString('base64'), number: 7 } });
});
afterEach(() => Promise.all(open.splice(0).map((app) => app.close())));
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(...sources: VaultSource[]): Promise<INestApplicationContext> {
  @Module({
    imports: [
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        config: { sources },
      }),
    ],
  })
  class AppModule {}
  const app = await bootApplication(AppModule);
  open.push(app);
  return app;
}

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('values', () => {
  it('JSON text and PEM of several lines arrive byte for byte, in ConfigService and in files', async () => {
    const app = await start({ secretPath: 'tls', files: ['key', 'JSON_TEXT', { key: 'number', name: 'NUMBER_PATH' }] });
    const config = app.get(ConfigService);
    expect(config.get('key')).toBe(pem);
    expect(config.get('JSON_TEXT')).toBe(json);
    expect(await readFile(config.getOrThrow<string>('key_FILE'), 'utf8')).toBe(pem);
    expect(await readFile(config.getOrThrow<string>('JSON_TEXT_FILE'), 'utf8')).toBe(json);
    expect(await readFile(config.getOrThrow<string>('NUMBER_PATH'), 'utf8')).toBe('7');
  });
});

describe('files', () => {
  it('are private, in a private folder, and gone after close', async () => {
    const source = { secretPath: 'tls', as: 'tls', files: ['key', { key: 'store', encoding: 'base64' as const }] };
    const app = await start(source);
    const path = app.get(ConfigService).getOrThrow<string>('tls.key_FILE');
    expect(await mode(path)).toBe('600');
    expect(await mode(dirname(path))).toBe('700');
    expect(await readFile(app.get(ConfigService).getOrThrow<string>('tls.store_FILE'))).toEqual(binary);
    expect(app.get(VaultService).explain('tls.key_FILE')).toMatchObject({ secretPath: 'tls' });
    // No file of it but the two, and each application has its own.
    expect(await readdir(dirname(path))).toHaveLength(2);
    const other = await start(source);
    expect(dirname(other.get(ConfigService).getOrThrow<string>('tls.key_FILE'))).not.toBe(dirname(path));
    await app.close();
    expect(existsSync(dirname(path))).toBe(false);
  });

  it('are rewritten as a whole when the value changes', async () => {
    const path = join(folder, 'rotated.pem');
    await writeFile(path, 'left by a process that crashed', { mode: 0o644 });
    await server.seed({ 'secret/rotated': { cert: 'one' } });
    const app = await start({ secretPath: 'rotated', files: [{ key: 'cert', path }] });
    const before = await stat(path);
    expect([await readFile(path, 'utf8'), await mode(path)]).toEqual(['one', '600']);
    await server.seed({ 'secret/rotated': { cert: 'two' } });
    await app.get(VaultService).refresh();
    expect([await readFile(path, 'utf8'), app.get(ConfigService).get('cert')]).toEqual(['two', 'two']);
    // Another file under the same name: whoever has the old one open reads it to its end.
    expect((await stat(path)).ino).not.toBe(before.ino);
    await app.close();
    expect(existsSync(path)).toBe(false);
  });

  it('of one source change together with the configuration, or not at all, and are tried again', async () => {
    const [cert, key] = [join(folder, 'pair.crt'), join(folder, 'pair.key')];
    await server.seed({ 'secret/pair': { cert: 'cert one', key: 'key one' } });
    const files = [
      { key: 'cert', path: cert },
      { key: 'key', path: key },
    ];
    const app = await start({ secretPath: 'pair', files });
    const [config, vault] = [app.get(ConfigService), app.get(VaultService)];
    const all = async () => [await readFile(cert, 'utf8'), config.get<string>('cert'), config.get<string>('key')];
    await rm(key);
    await mkdir(key);
    await server.seed({ 'secret/pair': { cert: 'cert two', key: 'key two' } });
    expect(await vault.refresh()).toMatchObject({ change: undefined, problems: [{ reason: 'not-a-file' }] });
    expect(await all()).toEqual(['cert one', 'cert one', 'key one']);
    expect((await readdir(folder)).filter((name) => name.startsWith('pair.') && name.length > 8)).toEqual([]);
    await rm(key, { recursive: true });
    expect((await vault.refresh()).problems).toEqual([]);
    expect([...(await all()), await readFile(key, 'utf8')]).toEqual(['cert two', 'cert two', 'key two', 'key two']);
    // Whoever hears of the change finds everything changed already: files and values change in one turn.
    const seen: unknown[] = [];
    vault.changes$.subscribe(() =>
      seen.push(readFileSync(cert, 'utf8'), readFileSync(key, 'utf8'), config.get('cert')),
    );
    await server.seed({ 'secret/pair': { cert: 'cert three', key: 'key three' } });
    await vault.refresh();
    expect(seen).toEqual(['cert three', 'key three', 'cert three']);
  });

  it('have their old content again when a later one cannot be replaced', async () => {
    process.env['UNDONE'] = 'before';
    const outputs = new ConfigOutputs({ filesFolder: join(folder, 'none'), exports: true });
    const [first, second, fresh] = ['undo.1', 'undo.2', 'undo.0'].map((name) => join(folder, name)) as [string, string, string]; // prettier-ignore
    const set = (content: string, ...paths: string[]): Configuration => {
      const files = paths.map((path) => ({ path, what: path, keys: [path], content: () => Buffer.from(content) }));
      const written = ConfigTree.of([{ path: ['UNDONE'], value: content, origin: NO_SECRET }]);
      return { files, written, variableTexts: { texts: new Map(), problems: [] } } as unknown as Configuration;
    };
    await outputs.write(set('one', first, second));
    expect(process.env['UNDONE']).toBe('one');
    const staged = await outputs.prepare(set('two', fresh, first, second));
    expect(process.env['UNDONE']).toBe('one');
    await rm(second);
    await mkdir(second);
    expect(() => staged.commit()).toThrow(expect.objectContaining({ code: 'VAULT_INVALID_OPTION', reason: 'not-a-file' })); // prettier-ignore
    expect([await readFile(first, 'utf8'), existsSync(fresh), process.env['UNDONE']]).toEqual(['one', false, 'one']);
    expect((await readdir(folder)).filter((name) => name.startsWith('undo.') && name.length > 6)).toEqual([]);
    await rm(second, { recursive: true });
    await outputs.write(set('two', fresh, first, second));
    expect(process.env['UNDONE']).toBe('two');
    expect(await Promise.all([fresh, first, second].map((path) => readFile(path, 'utf8')))).toEqual(['two', 'two', 'two']); // prettier-ignore
    // What was only staged goes with the rest, and nothing is put in place any more.
    const late = await outputs.prepare(set('three', fresh, first, second));
    await outputs.close();
    expect(process.env['UNDONE']).toBe('before');
    delete process.env['UNDONE'];
    expect(() => late.commit()).toThrow(expect.objectContaining({ code: 'VAULT_CLOSED' }));
    expect((await readdir(folder)).filter((name) => name.startsWith('undo.'))).toEqual([]);
  });

  it('that somebody has replaced meanwhile are left alone', async () => {
    const path = join(folder, 'replaced.pem');
    const app = await start({ secretPath: 'tls', files: [{ key: 'key', path }] });
    await rm(path);
    await writeFile(path, 'mine');
    await app.close();
    expect(await readFile(path, 'utf8')).toBe('mine');
  });

  it('do not follow links, and say what is wrong; nothing is left behind', async () => {
    await mkdir(join(folder, 'directory'));
    await writeFile(join(folder, 'target'), 'precious');
    await symlink(join(folder, 'target'), join(folder, 'link'));
    for (const [name, reason] of [
      ['link', 'symlink'],
      ['directory', 'not-a-file'],
      ['absent/file', 'ENOENT'],
    ] as const) {
      const path = join(folder, name);
      const error = await start({ secretPath: 'tls', files: ['JSON_TEXT', { key: 'key', path }] }).then(
        () => undefined,
        (thrown: Error & { code: string }) => thrown,
      );
      expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION', reason });
      expect(error?.message).toMatch(new RegExp(`key "key" of secret "tls" to the file ".*${name}"`));
    }
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('precious');
    expect((await readdir(folder)).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it.each<[string, VaultSource, RegExp]>([
    ['a key that is not there', { secretPath: 'tls', files: ['nope'] }, /no key "nope".*"files"/],
    ['two values for one file', { secretPath: 'tls', files: [{ key: 'key', path: '/tmp/x.pem' }, { key: 'number', path: '/tmp/x.pem' }] }, /the key "number" of secret "tls" to the file "\/tmp\/x\.pem": the key "key" of secret "tls" goes there.*"path"/], // prettier-ignore
    ['two files for one name', { secretPath: 'tls', files: [{ key: 'key', name: 'P' }, { key: 'number', name: 'P' }] }, /"key" and "number" both lead to "P"\. Rename one with "name"/], // prettier-ignore
    ['text that is no base64', { secretPath: 'tls', files: [{ key: 'key', encoding: 'base64' }] }, /not in base64/],
  ])('refuse %s', async (_, source, message) => {
    await expect(start(source)).rejects.toThrow(message);
  });

  it('of two sources with the same key hold the value of the later one, and are not written in between', async () => {
    await server.seed({ 'secret/tls-own': { key: 'own' } });
    const app = await start({ secretPath: 'tls', files: ['key'] }, { secretPath: 'tls-own', files: ['key'] });
    const path = app.get(ConfigService).getOrThrow<string>('key_FILE');
    expect(await readFile(path, 'utf8')).toBe('own');
    const { ino } = await stat(path);
    await server.seed({ 'secret/tls': { key: 'changed', JSON_TEXT: json, store: '', number: 8 } });
    await app.get(VaultService).refresh();
    expect([app.get(ConfigService).get('number'), (await stat(path)).ino]).toEqual([8, ino]);
  });

  it('hold what references in secrets stand for', async () => {
    await server.seed({ 'secret/tls-referring': { key: 'vault:secret/tls-own#key' } });
    await server.seed({ 'secret/tls-own': { key: 'own' } });
    @Module({
      imports: [
        VaultModule.forRoot({
          endpoint: server.endpoint,
          auth: { method: 'token', token: server.rootToken },
          config: { sources: [{ secretPath: 'tls-referring', files: ['key'] }], references: { inSecrets: true } },
        }),
      ],
    })
    class AppModule {}
    const app = await bootApplication(AppModule);
    open.push(app);
    expect(await readFile(app.get(ConfigService).getOrThrow<string>('key_FILE'), 'utf8')).toBe('own');
  });

  it('go with a process that ends without closing anything', async () => {
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const url = (path: string) => JSON.stringify(pathToFileURL(join(root, path)).href);
    const child = spawn(process.execPath, [
      '--import',
      pathToFileURL(join(root, 'test/support/typescript-loader.mjs')).href,
      '--input-type=module',
      '--eval',
      `const { SecretFiles } = await import(${url('lib/config/files/secret-files.ts')});
       const { join } = await import('node:path');
       const { readFileSync } = await import('node:fs');
       const { tmpdir } = await import('node:os');
       const folder = join(tmpdir(), 'nestjs-vault-test-' + process.pid);
       const files = new SecretFiles(folder);
       const path = join(folder, 'x');
       (await files.prepare({ files: [{ path, what: 'x', content: () => Buffer.from('written') }] })).commit();
       console.log(path, readFileSync(path, 'utf8'));
       process.exit(3);`,
    ]);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>]);
    expect([code, output.trim().split(' ')[1]]).toEqual([3, 'written']);
    expect(existsSync(dirname(output.split(' ')[0] as string))).toBe(false);
  });

  it('are not written any more after close', async () => {
    const own = join(folder, 'after-close');
    const files = new SecretFiles(own);
    const write = () =>
      files.prepare({ files: [{ path: join(own, 'x'), what: 'x', keys: ['x'], content: () => Buffer.from('x') }] });
    (await write()).commit();
    await files.close();
    await expect(write()).rejects.toMatchObject({ code: 'VAULT_CLOSED' });
    expect(existsSync(own)).toBe(false);
  });
});
