import { execFileSync } from 'node:child_process';
import { randomBytes, scryptSync } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { resolveOptions } from '../../lib/boot/resolve-options.js';
import type { JsonObject } from '../../lib/client/vault-request.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import { ConfigSnapshot } from '../../lib/config/snapshot/config-snapshot.js';
import { deriveKey } from '../../lib/config/snapshot/snapshot-file.js';
import type { VaultSnapshotOptions } from '../../lib/config/snapshot/snapshot.options.js';
import { resolveSnapshot } from '../../lib/config/snapshot/snapshot.options.js';
import type { VaultSource } from '../../lib/config/sources/vault-source.js';
import { VaultNotFoundError, VaultPermissionError, VaultSnapshotError } from '../../lib/errors/index.js';
import { canary, findLeaks, forgetCanaries, renderError } from '../support/canary.js';

const SERVER = { endpoint: 'https://vault.example.com:8200', namespace: undefined };
const KEY = Buffer.alloc(32, 'nestjs-vault').toString('base64');
const APP = { mountPath: 'secret', secretPath: 'app' };
const HEADER = 78;

let folder: string;
let file: string;
const warnings: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'snapshot-spec-'));
});
beforeEach(() => {
  file = join(folder, randomBytes(4).toString('hex'));
});
afterEach(() => {
  warnings.length = 0;
  jest.useRealTimers();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function snapshot(
  options: Partial<VaultSnapshotOptions> = {},
  sources: readonly VaultSource[] = ['app'],
  server: { endpoint: string; otherEndpoints?: string[]; namespace?: string | undefined } = SERVER,
): ConfigSnapshot {
  const resolved = resolveSnapshot({ file, key: KEY, ...options });
  if (!resolved) throw new Error('no options');
  return new ConfigSnapshot(resolved, resolveConfig({ sources }, {}), server, (message) => warnings.push(message));
}

function reads(data: JsonObject = { PASSWORD: 'hunter2' }, version = 3): SecretReads {
  const secret = { data, version, createdTime: '2026-01-02T03:04:05Z', destroyed: false, customMetadata: {} };
  return new SecretReads([[APP, { secret, readAt: new Date(), requestedAt: 0 }]]);
}

async function refusal(of: ConfigSnapshot = snapshot()): Promise<VaultSnapshotError> {
  const error: unknown = await of.open().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(VaultSnapshotError);
  return error as VaultSnapshotError;
}

/** The folder without what other tests have made. */
async function leftBeside(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.tmp'));
}

describe('a snapshot', () => {
  it('gives back what was saved: values of every kind, version, times, and what was absent', async () => {
    const data = JSON.parse('{"text":"ä\\u0000\\u2028","n":1.5,"list":[null,{"__proto__":1}],"":true}') as JsonObject;
    const absent = new VaultNotFoundError('not there', {
      path: 'secret/data/gone',
      mountPath: 'secret',
      statusCode: 404,
    });
    const gone = { mountPath: 'secret', secretPath: 'gone' };
    const saved = new SecretReads([...reads(data), [gone, { error: absent, absent: 'confirmed' }]]);
    const sources = ['app', { secretPath: 'gone', optional: true }];
    const before = Date.now();
    await snapshot({}, sources).save(saved);
    const opened = await snapshot({}, sources).open();
    expect(opened.reads).toEqual(saved);
    expect(JSON.stringify(opened.reads.get(APP)?.secret?.data)).toBe(JSON.stringify(data));
    expect(opened.reads.get(gone)?.error).toBeInstanceOf(VaultNotFoundError);
    expect(opened.reads.get(gone)?.error).toMatchObject({ message: 'not there', path: 'secret/data/gone' });
    expect(opened.takenAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(warnings).toEqual([]);
  });

  it('can be read by its owner only, and shows nothing of what is in it; the key is asked for each time', async () => {
    const marked = { password: canary('value'), path: canary('other') };
    let asked = 0;
    const key = () => (asked++, KEY);
    await snapshot({ key }).save(reads(marked));
    await snapshot({ key }).save(reads(marked));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const bytes = await readFile(file);
    expect(findLeaks(bytes.toString('latin1'))).toEqual([]);
    expect(bytes.toString('latin1')).not.toContain('secret');
    expect(asked).toBe(2);
    expect(await leftBeside()).toEqual([]);
    forgetCanaries();
  });

  it('differs in every byte that could be told apart, though nothing has changed', async () => {
    await snapshot().save(reads());
    const first = await readFile(file);
    await snapshot().save(reads());
    const second = await readFile(file);
    expect(second.subarray(50, HEADER).equals(first.subarray(50, HEADER))).toBe(false);
    expect(second.subarray(HEADER).equals(first.subarray(HEADER))).toBe(false);
  });

  it.each([
    ['base64', KEY],
    ['base64url with padding', `${Buffer.from(KEY, 'base64').toString('base64url')}=`],
    ['hex', Buffer.from(KEY, 'base64').toString('hex').toUpperCase()],
  ])('takes the same 32 bytes in %s', async (_, key) => {
    await snapshot().save(reads());
    expect([...(await snapshot({ key: `${key}\n` }).open()).reads].map(([address]) => address)).toEqual([APP]);
  });

  it('takes a passphrase', async () => {
    const key = 'correct horse battery staple';
    await snapshot({ key }).save(reads());
    expect([...(await snapshot({ key }).open()).reads].map(([address]) => address)).toEqual([APP]);
    expect(await refusal(snapshot({ key: `${key}r` }))).toMatchObject({ reason: 'wrong-key' });
  });

  it.each([
    ['of 43 letters and digits', 'correctHorseBatteryStaple2correctHorseBatte'],
    ['of 43 characters of base64url', 'correct-horse-battery-staple_correct-horse-'],
    ['of 44 letters and digits', 'correctHorseBatteryStaple2correctHorseBatter'],
    ['that ends in "=" but is not what an encoder writes', 'correctHorseBatteryStaple2correctHorseBattB='],
    ['of 64 letters and digits', 'correctHorseBatteryStaple2'.repeat(3).slice(0, 64)],
    ['of 43 characters of unpadded base64', KEY.slice(0, -1)],
  ])('makes a passphrase %s costly to guess', async (_, passphrase) => {
    const salt = randomBytes(16);
    const expected = scryptSync(passphrase, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 });
    expect((await deriveKey(passphrase, salt)).equals(expected)).toBe(true);
  });

  it('written at once by several keeps whole, and the last one wins', async () => {
    const one = snapshot();
    const others = Array.from({ length: 5 }, () => snapshot());
    await Promise.all(others.map((each, n) => each.save(reads({ n }))));
    await Promise.all([one.save(reads({ n: 'first' })), one.save(reads({ n: 'last' }, 4))]);
    expect((await snapshot().open()).reads.get(APP)?.secret?.data).toEqual({ n: 'last' });
    expect([await leftBeside(), warnings]).toEqual([[], []]);
  });

  it('is written again when something is new, or when a tenth of its life is over', async () => {
    const one = snapshot({ maxAgeMs: 10_000 });
    const now = Date.now();
    const at = (ms: number) => jest.useFakeTimers({ now: now + ms, doNotFake: ['nextTick', 'setImmediate'] });
    const writtenAt = async () => (await one.open()).takenAt.getTime() - now;
    at(0);
    await one.save(reads());
    at(900);
    await one.save(reads());
    expect(await writtenAt()).toBe(0);
    at(1_000);
    await one.save(reads());
    expect(await writtenAt()).toBe(1_000);
    at(1_001);
    await one.save(reads({}, 4));
    expect(await writtenAt()).toBe(1_001);
    // One that could not be written is not taken for one that is there; nor is it warned of twice.
    await rm(file);
    await mkdir(file);
    at(1_002);
    await one.save(reads());
    await one.save(reads());
    expect(warnings).toHaveLength(1);
    await rm(file, { recursive: true });
    await one.save(reads());
    expect(await writtenAt()).toBe(1_002);
  });

  it('is not written once for every change of a storm: what was overtaken before its turn is left out', async () => {
    let writes = 0;
    const kept = snapshot({ key: () => ((writes += 1), KEY) });
    const save = (version: number) => kept.save(reads({ PASSWORD: `v${version}` }, version));
    const first = save(0);
    while (writes === 0) await Promise.resolve();
    await Promise.all([first, ...Array.from({ length: 49 }, (_, index) => save(index + 1))]);
    expect(writes).toBe(2);
    const { reads: found } = await snapshot().open();
    expect(found.get(APP)?.secret?.data).toEqual({ PASSWORD: 'v49' });
    await save(50);
    expect(writes).toBe(3);
  });

  it('is as old as the oldest of what is in it', async () => {
    const now = Date.now();
    const at = (ms: number) => jest.useFakeTimers({ now: now + ms, doNotFake: ['nextTick', 'setImmediate'] });
    const taken = async () => (await snapshot().open()).takenAt.getTime() - now;
    at(0);
    const one = snapshot();
    await one.save(reads());
    at(1_000);
    await one.save(reads({ new: 1 }, 4), false);
    expect([(await snapshot().open()).reads.get(APP)?.secret?.data, await taken()]).toEqual([{ new: 1 }, 0]);
    // Also when it has been started on.
    const two = snapshot();
    await two.open();
    at(2_000);
    await two.save(reads({}, 5), false);
    expect(await taken()).toBe(0);
    at(3_000);
    await two.save(reads({}, 6));
    expect(await taken()).toBe(3_000);
  });

  it('is written again when the clock has been set back', async () => {
    const one = snapshot();
    const now = Date.now();
    jest.useFakeTimers({ now: now + 3_600_000, doNotFake: ['nextTick', 'setImmediate'] });
    await one.save(reads());
    jest.setSystemTime(now);
    await one.save(reads());
    expect((await snapshot().open()).takenAt.getTime()).toBe(now);
  });

  it('does not hide what could not be read when it was written', async () => {
    const denied = { mountPath: 'secret', secretPath: 'denied' };
    const sources = ['app', { secretPath: 'denied', optional: true }];
    await snapshot({}, sources).save(
      new SecretReads([...reads(), [denied, { error: new VaultPermissionError('denied') }]]),
    );
    const error = (await snapshot({}, sources).open()).reads.get(denied)?.error;
    expect(error).toMatchObject({ code: 'VAULT_SNAPSHOT', reason: 'incomplete' });
    expect(error?.message).toContain('"denied"');
  });
});

describe('a file that is not the snapshot of this application is refused', () => {
  it('with any one byte changed', async () => {
    await snapshot().save(reads({ a: 1 }));
    const good = await readFile(file);
    const reasons = new Map<string, number>();
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(file, bad);
      const { reason = '' } = await refusal();
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(Object.fromEntries(reasons)).toEqual({
      'not-a-snapshot': 8,
      'unknown-version': 2,
      foreign: 32,
      'wrong-key': good.length - 42,
    });
    await writeFile(file, good);
    expect((await snapshot().open()).reads.size).toBe(1);
  });

  it.each([
    ['empty', 0, 'truncated'],
    ['within the magic', 5, 'truncated'],
    ['before the version', 8, 'truncated'],
    ['within the time', 14, 'truncated'],
    ['within the nonce', 70, 'truncated'],
    ['after the header', HEADER, 'truncated'],
    ['within the tag', HEADER + 15, 'truncated'],
    ['with no content', HEADER + 16, 'wrong-key'],
    ['within the content', HEADER + 40, 'wrong-key'],
    ['before the last byte', -1, 'wrong-key'],
  ])('cut off: %s', async (_, length, reason) => {
    await snapshot().save(reads());
    const { size } = await stat(file);
    await truncate(file, length < 0 ? size + length : length);
    expect(await refusal()).toMatchObject({ reason });
  });

  it('with something behind it, or of text', async () => {
    await snapshot().save(reads());
    await writeFile(file, '\n', { flag: 'a' });
    expect(await refusal()).toMatchObject({ reason: 'wrong-key' });
    await writeFile(file, '{"PASSWORD":"hunter2"}');
    expect(await refusal()).toMatchObject({ reason: 'not-a-snapshot' });
  });

  it.each<[string, Parameters<typeof snapshot>, string]>([
    ['another key', [{ key: randomBytes(32).toString('hex') }], 'wrong-key'],
    ['a passphrase in place of a key', [{ key: 'correct horse battery staple' }], 'wrong-key'],
    ['another server', [{}, ['app'], { endpoint: 'https://other.example.com:8200' }], 'foreign'],
    ['one server more', [{}, ['app'], { ...SERVER, otherEndpoints: ['https://other.example.com:8200'] }], 'foreign'],
    ['another namespace', [{}, ['app'], { ...SERVER, namespace: 'team' }], 'foreign'],
    ['other sources', [{}, ['app', 'more']], 'foreign'],
    ['another mount', [{}, [{ secretPath: 'app', mountPath: 'kv' }]], 'foreign'],
    ['another version', [{}, [{ secretPath: 'app', version: 1 }]], 'foreign'],
  ])('with %s', async (_, other, reason) => {
    await snapshot().save(reads());
    expect(await refusal(snapshot(...other))).toMatchObject({ reason });
  });

  it('not when sources have only changed places, options of assembly or been repeated', async () => {
    await snapshot({}, ['app']).save(reads());
    const same = snapshot({}, [{ secretPath: 'app', as: 'x', keys: ['PASSWORD'] }, 'app']);
    expect((await same.open()).reads.size).toBe(1);
  });

  it('too old, or dated ahead of the clock', async () => {
    const now = new Date('2026-05-01T12:00:00Z').getTime();
    const at = (ms: number) =>
      jest.useFakeTimers({ now: now + ms, doNotFake: ['nextTick', 'setImmediate', 'setTimeout'] });
    at(0);
    await snapshot().save(reads());
    const aged = snapshot({ maxAgeMs: 7_200_000 });
    at(7_200_000);
    expect((await aged.open()).takenAt.getTime()).toBe(now);
    at(7_200_001);
    const old = await refusal(aged);
    expect(old).toMatchObject({ reason: 'too-old' });
    expect(old.message).toContain('2 hours old');
    // A day by default.
    at(86_400_000);
    await snapshot().open();
    at(86_400_001);
    expect(await refusal()).toMatchObject({ reason: 'too-old' });
    at(-300_000);
    await snapshot().open();
    at(-300_001);
    expect((await refusal()).message).toContain('clock');
  });

  it('absent, a folder, a pipe, a symbolic link, too large', async () => {
    expect(await refusal()).toMatchObject({ reason: 'ENOENT' });
    expect(await refusal(snapshot({ file: join(file, 'below') }))).toMatchObject({ reason: 'ENOENT' });
    await mkdir(file);
    expect(await refusal()).toMatchObject({ reason: 'not-a-file' });
    const pipe = `${file}.pipe`;
    execFileSync('mkfifo', [pipe]);
    // Without a writer, a plain open would wait for ever.
    expect(await refusal(snapshot({ file: pipe }))).toMatchObject({ reason: 'not-a-file' });
    const target = `${file}.target`;
    await snapshot({ file: target }).save(reads());
    await symlink(target, `${file}.link`);
    expect(await refusal(snapshot({ file: `${file}.link` }))).toMatchObject({ reason: 'symlink' });
    await truncate(target, 2 ** 31);
    expect(await refusal(snapshot({ file: target }))).toMatchObject({ reason: 'too-large' });
  });

  it('when the key cannot be had, or is too weak', async () => {
    await snapshot().save(reads());
    await expect(snapshot({ key: { env: 'NO_SUCH_VARIABLE' } }).open()).rejects.toMatchObject({
      code: 'VAULT_AUTHENTICATION',
      message: expect.stringContaining('"config.snapshot.key"') as unknown,
    });
    expect(await refusal(snapshot({ key: () => 'short' }))).toMatchObject({ reason: 'wrong-key' });
  });

  it('when its key is waited for in vain: neither a boot nor the end of an application waits for ever', async () => {
    await snapshot().save(reads());
    const late = snapshot({ key: () => new Promise<string>(() => undefined) });
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance', 'Date'] });
    const begun = [late.save(reads()), late.open().catch((error: unknown) => error)] as const;
    // The file is read before the key is asked for.
    while (jest.getTimerCount() < 2) await new Promise((resolve) => setImmediate(resolve));
    await jest.advanceTimersByTimeAsync(10_000);
    const [, refused] = await Promise.all(begun);
    expect(refused).toMatchObject({ code: 'VAULT_SNAPSHOT', reason: 'no-key' });
    expect(warnings).toEqual([expect.stringMatching(/not supplied within 10 s/)]);
  });

  it('without its key or values in the refusal', async () => {
    const key = canary('snapshot-passphrase');
    await snapshot({ key }).save(reads({ password: canary('kept-value') }));
    const other = snapshot({ key: canary('other-passphrase') });
    expect(findLeaks(renderError(await refusal(other)) + renderError(other))).toEqual([]);
    forgetCanaries();
  });
});

describe('a snapshot that cannot be written is warned of', () => {
  it.each<[string, (path: string) => Promise<unknown>, string]>([
    ['no folder', (path) => rm(path, { recursive: true }), 'its folder does not exist'],
    [
      'a file where the folder should be',
      (path) => rm(path, { recursive: true }).then(() => writeFile(path, '')),
      'ENOTDIR',
    ],
    ['a folder in its place', (path) => mkdir(join(path, 'file')), 'not a regular file'],
    ['a symbolic link in its place', (path) => symlink(join(path, 'elsewhere'), join(path, 'file')), 'symbolic link'],
  ])('%s', async (_, spoil, reason) => {
    await mkdir(file);
    await spoil(file);
    await snapshot({ file: join(file, 'file') }).save(reads());
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(new RegExp(reason));
    expect(await readdir(file).catch(() => [])).not.toContain('elsewhere');
  });

  it('no key, and content that has no JSON', async () => {
    await snapshot({ key: { file: join(folder, 'no-key') } }).save(reads());
    const deep: JsonObject = {};
    let inner = deep;
    for (let n = 0; n < 100_000; n++) inner = inner['deep'] = {} as JsonObject;
    await snapshot().save(reads(deep));
    expect(warnings).toEqual([expect.stringContaining('ENOENT'), expect.stringContaining('RangeError')]);
    await expect(snapshot().open()).rejects.toMatchObject({ reason: 'ENOENT' });
    // The next one is written all the same.
    await snapshot().save(reads());
    expect((await snapshot().open()).reads.size).toBe(1);
  });

  it('of a file that everybody may read, when it is used', async () => {
    await snapshot().save(reads());
    await chmod(file, 0o644);
    await snapshot().open();
    expect(warnings).toEqual([expect.stringContaining('chmod 600')]);
  });
});

const WITHOUT_LOGIN = { endpoint: SERVER.endpoint, auth: { method: 'none' } } as const;

describe('the options', () => {
  it.each<[unknown, string]>([
    ['file', '"config.snapshot" must be an object'],
    [{}, '"config.snapshot" needs "file"'],
    [{ file: 'x' }, '"config.snapshot" needs "key"'],
    [{ file: '', key: KEY }, '"config.snapshot.file"'],
    [{ file: 'a\0b', key: KEY }, '"config.snapshot.file"'],
    [{ file: 7, key: KEY }, '"config.snapshot.file"'],
    [{ file: 'x', key: 'short' }, '"config.snapshot.key" is too short'],
    [{ file: 'x', key: 7 }, '"config.snapshot.key"'],
    [{ file: 'x', key: { env: 'A', file: 'b' } }, '"config.snapshot.key"'],
    ...[0, -1, NaN, Infinity, '5'].map((maxAgeMs): [unknown, string] => [
      { file: 'x', key: KEY, maxAgeMs },
      '"config.snapshot.maxAgeMs"',
    ]),
    ...[0, -1, NaN, Infinity, 2 ** 31].map((waitMs): [unknown, string] => [
      { file: 'x', key: KEY, waitMs },
      '"config.snapshot.waitMs"',
    ]),
    [{ file: 'x', key: KEY, maxAge: 5 }, 'Did you mean "maxAgeMs"'],
  ])('%j', async (given, message) => {
    await expect(
      resolveOptions({ ...WITHOUT_LOGIN, config: { snapshot: given as VaultSnapshotOptions } }),
    ).rejects.toMatchObject({ code: 'VAULT_INVALID_OPTION', message: expect.stringContaining(message) as unknown });
  });
});
