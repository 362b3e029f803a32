import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findServerBinary } from '../../lib/server/find-binary.js';
import { createCertificates, startVaultServer } from '../../lib/testing/index.js';
import type { OidcProvider } from '../support/oidc-provider.js';
import { startOidcProvider } from '../support/oidc-provider.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Address and token that the guides export. */
const DOCUMENTED = { endpoint: 'http://127.0.0.1:8200', token: 'dev' };

/** Files with credentials that the guides leave to the reader. */
const FILES = ['bind-password', 'client-secret', 'password', 'radius-secret', 'reviewer-token'];

interface ShellBlock {
  readonly text: string;
  /** Why it is not run here, from the comment above it. */
  readonly notRun: string | undefined;
}

/** The blocks of a guide that a reader types into a shell, in order. */
function shellBlocks(guide: string): ShellBlock[] {
  const blocks = guide.matchAll(/(?:<!-- not run: (.+?) -->\n\n?)?^```(?:sh|bash)\n(.*?)^```$/gms);
  return [...blocks].map(([, notRun, text = '']) => ({ text, notRun }));
}

const pages = await readdir(join(ROOT, 'docs'), { recursive: true });
const guides = ['README.md', ...pages.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
const blocksOf = new Map(
  await Promise.all(guides.map(async (guide) => [guide, shellBlocks(await readFile(join(ROOT, guide), 'utf8'))] as const)), // prettier-ignore
);
const run = guides.filter((guide) => blocksOf.get(guide)?.some(({ notRun }) => notRun === undefined));

let provider: OidcProvider;
let programs: string;

beforeAll(async () => {
  provider = await startOidcProvider();
  programs = await mkdtemp(join(tmpdir(), 'documentation-shell-'));
  const binary = await findServerBinary();
  if (binary.kind !== 'program') throw new Error('The commands of the guides need a program, not an image.');
  await symlink(binary.path, join(programs, 'bao'));
});
afterAll(async () => {
  await provider.close();
  await rm(programs, { recursive: true });
});

/** All blocks of a guide, typed one after the other into one fresh shell. */
async function type(blocks: readonly string[], folder: string, endpoint: string): Promise<string> {
  const script = blocks
    .join('\n')
    .replaceAll(DOCUMENTED.endpoint, endpoint)
    .replace(/https:\/\/(?:gitlab|login)\.example\.com/g, provider.issuer);
  const env = { PATH: [programs, '/usr/bin', '/bin'].join(delimiter), HOME: folder };
  return new Promise((resolve) => {
    execFile('sh', ['-eux', '-c', script], { cwd: folder, env }, (error, _stdout, stderr) => {
      resolve(error ? `The shell ended with code ${error.code}:\n${stderr}` : '');
    });
  });
}

describe('the shell commands of the guides', () => {
  it('are found', () => expect(run).toEqual(expect.arrayContaining(['docs/getting-started.md', 'docs/logging-in.md'])));

  it.each(run)('%s works as printed on a fresh server', async (guide) => {
    const folder = await mkdtemp(join(tmpdir(), 'documentation-shell-'));
    const server = await startVaultServer({ rootToken: DOCUMENTED.token });
    try {
      await writeFile(join(folder, 'ca.pem'), (await createCertificates()).ca);
      for (const name of FILES) await writeFile(join(folder, name), 'a-credential');
      const blocks = (blocksOf.get(guide) ?? []).flatMap(({ text, notRun }) => (notRun === undefined ? [text] : []));
      expect(await type(blocks, folder, server.endpoint)).toBe('');
    } finally {
      await server.stop();
      await rm(folder, { recursive: true });
    }
  });
});
