import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTls } from '../../lib/boot/resolve-tls.js';
import { TlsFiles } from '../../lib/client/connections/tls-files.js';
import { createCertificates } from '../../lib/testing/index.js';
import { renderError } from '../support/canary.js';

let directory: string;
const path = (name: string): string => join(directory, name);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nestjs-vault-tls-'));
});
afterEach(() => rm(directory, { recursive: true }));

const failure = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
  return error as Error;
};

async function pair(): Promise<{ cert: string; key: string }> {
  const { client } = await createCertificates({ client: true });
  if (!client) throw new Error('No client certificate was made.');
  return client;
}

describe('a certificate and a key in files', () => {
  it('are read again when both have changed, and not before', async () => {
    const [first, second] = await Promise.all([pair(), pair()]);
    await writeFile(path('cert.pem'), first.cert);
    await writeFile(path('key.pem'), first.key);
    const files = await TlsFiles.load({ cert: { file: path('cert.pem') }, key: { file: path('key.pem') } });
    const before = await files.current();
    expect(await files.current()).toBe(before);

    // The new certificate beside the old key, then half of the new key, then nothing at all.
    await writeFile(path('cert.pem'), second.cert);
    expect(await files.current()).toBe(before);
    await writeFile(path('key.pem'), second.key.slice(0, 60));
    expect(await files.current()).toBe(before);
    await rm(path('key.pem'));
    expect(await files.current()).toBe(before);

    await writeFile(path('key.pem'), second.key);
    const after = await files.current();
    expect(after).not.toBe(before);
    expect(await files.current()).toBe(after);
  });

  it('are followed through the symbolic links of a mounted volume', async () => {
    const [first, second] = await Promise.all([pair(), pair()]);
    for (const [name, { cert, key }] of Object.entries({ first, second })) {
      await mkdir(path(name));
      await writeFile(path(`${name}/tls.crt`), cert);
      await writeFile(path(`${name}/tls.key`), key);
    }
    await symlink(path('first'), path('..data'));
    const files = await TlsFiles.load({
      cert: { file: path('..data/tls.crt') },
      key: { file: path('..data/tls.key') },
    });
    const before = await files.current();
    await symlink(path('second'), path('..next'));
    await rename(path('..next'), path('..data'));
    expect(await files.current()).not.toBe(before);
  });

  it('of a key that is encrypted, the passphrase comes from a credential, asked again', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const passphrase = 'SECRET-VALUE';
    const { cert, key } = await pair();
    const encrypted = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
    await writeFile(path('cert.pem'), cert);
    await writeFile(path('key.pem'), encrypted);
    const options = { cert: { file: path('cert.pem') }, key: { file: path('key.pem') } };
    await writeFile(path('passphrase'), `${passphrase}\n`);
    // The right passphrase opens the key, which then turns out to be another certificate's.
    const error = await failure(resolveTls({ ...options, passphrase: { file: path('passphrase') } }));
    expect(error.message).toMatch(/"tls\.key".*is not the key of "tls\.cert"/);
    const wrong = await failure(resolveTls({ ...options, passphrase: 'SECRET-VALUE-2' }));
    expect(wrong.message).toMatch(/"tls\.passphrase" is not the one/);
    expect(renderError(error) + renderError(wrong)).not.toContain('SECRET-VALUE');

    let asked = 0;
    await writeFile(path('key.pem'), key);
    const tls = await resolveTls({ ...options, passphrase: () => `unused ${(asked += 1)}` });
    const files = await TlsFiles.load(tls);
    const before = asked;
    await files.current();
    expect(asked).toBe(before);
    await writeFile(path('key.pem'), `${key}\n`);
    await files.current();
    expect(asked).toBe(before + 1);
  });
});

describe('authorities in a directory', () => {
  it('are the certificates of all its files, and follow it', async () => {
    const [{ ca }, { ca: other }] = await Promise.all([createCertificates(), createCertificates()]);
    await writeFile(path('README'), 'not a certificate');
    await mkdir(path('java'));
    await symlink('/no/such', path('dangling.pem'));
    const options = { ca: { directory } };
    expect((await failure(TlsFiles.load(options))).message).toMatch(/VAULT_CAPATH.*holds a certificate/);

    await writeFile(path('a.pem'), `text before\n${ca}\n${other}`);
    const files = await TlsFiles.load(options);
    const before = await files.current();
    expect(await files.current()).toBe(before);
    await writeFile(path('b.pem'), other);
    const after = await files.current();
    expect(after).not.toBe(before);
    // A broken certificate among good ones is not skipped: calls would fail later, for no visible reason.
    await writeFile(path('c.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(await files.current()).toBe(after);
    expect((await failure(TlsFiles.load(options))).message).toMatch(/"tls\.ca"/);
  });
});

it.each<[string, object]>([
  ['a device', { ca: { file: '/dev/zero' } }],
  ['a directory for a file', { ca: { file: tmpdir() } }],
  ['a second certificate of a bundle that is broken', { ca: '' }],
])('%s is refused', async (what, options) => {
  const { ca } = await createCertificates();
  const broken = `${ca}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`;
  const { message } = await failure(TlsFiles.load(what.startsWith('a second') ? { ca: broken } : options));
  expect(message).toMatch(/"tls\.ca"/);
});
