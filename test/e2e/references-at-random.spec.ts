import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { ConfigModuleOptions } from '@nestjs/config';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import fc from 'fast-check';
import type { VaultConfigOptions } from '../../lib/index.js';
import { isVaultError, loadVaultConfig, VaultModule } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { bootApplication } from '../support/boot-application.js';

let server: VaultServer;
let folder: string;
const environment = { ...process.env };
const home = process.cwd();

beforeAll(async () => {
  server = await startVaultServer();
  await server.seed({ 'secret/db': { password: 'hunter2', Main: 'hunter2' } });
  folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-references-at-random-'));
  process.chdir(folder);
});
afterAll(async () => {
  process.chdir(home);
  process.env = environment;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const REFERENCES = [
  'vault:secret/data/db#password',
  'vault:secret/db#password',
  'vault:secret/data/db#Main#1',
  'vault:secret/data/db#password?none',
  'vault:secret/data/db#absent?none',
  'vault:secret%2Fdata/db#password',
];
/** What applications, shells and files put around values. */
const PIECES = [
  ...[
    'postgres://app:',
    '@db:5432/app',
    '?sslmode=require',
    '?x',
    '#',
    '#1',
    '/',
    ':',
    '-',
    'x',
    '=',
    ',',
    ' ',
    '\t',
    '\n',
  ],
  ...[
    '"',
    "'",
    '`',
    '“',
    '\\',
    '\u200b',
    '\ufeff',
    '$',
    '{',
    '}',
    '${',
    '${vault:',
    'vault:',
    'vault://',
    'vault:8200',
    '%',
  ],
];

/** A text that holds the reference, as it may arrive after someone has worked with it. */
function textsOf(reference: string): fc.Arbitrary<string> {
  const piece = fc.constantFrom(...PIECES);
  const base = fc.constantFrom(reference, `\${${reference}}`, `{${reference}}`, `\${ ${reference} }`, `$${reference}`);
  const change = fc.oneof(
    piece.map((before) => (text: string) => before + text),
    piece.map((after) => (text: string) => text + after),
    fc.tuple(piece, piece).map(
      ([before, after]) =>
        (text: string) =>
          before + text + after,
    ),
    fc.constantFrom<(text: string) => string>(
      (text) => text.toUpperCase(),
      (text) => text.toLowerCase(),
      (text) => text.trim(),
      (text) => text.repeat(2),
      (text) => [text, text].join(','),
      (text) => JSON.stringify(text),
      (text) => JSON.stringify({ url: text }),
      (text) => encodeURIComponent(text),
      (text) => text.slice(0, text.lastIndexOf('#') < 0 ? undefined : text.lastIndexOf('#')),
      (text) => text.replace(/^\$?\{?vault:/, ''),
      (text) => text.replace(/\}$/, ''),
      (text) => text.replace('#', '\\#'),
      (text) => text.replaceAll('/', '\\/'),
      (text) => text.normalize('NFKD'),
    ),
  );
  return fc
    .tuple(base, fc.array(change, { maxLength: 4 }))
    .map(([text, changes]) => changes.reduce((made, make) => make(made), text));
}

const PLACES = {
  variable: (text) => ({ variables: { DATABASE_URL: text } }),
  'config.load': (text) => ({ config: { load: [() => ({ DATABASE_URL: text })] } }),
  'config.load, nested': (text) => ({ config: { load: [registerAs('db', () => ({ list: [{ url: text }] }))] } }),
  'load of ConfigModule': (text) => ({ options: { load: [() => ({ DATABASE_URL: text })] } }),
  'asynchronous registerAs of ConfigModule': (text) => ({
    options: { load: [registerAs('db', () => Promise.resolve({ list: [{ url: text }] }))] },
  }),
  'validate of ConfigModule': (text) => ({
    options: { validate: (variables) => ({ ...variables, DATABASE_URL: text }) },
  }),
} satisfies Record<
  string,
  (text: string) => { variables?: Record<string, string>; config?: VaultConfigOptions; options?: ConfigModuleOptions }
>;

interface Draw {
  readonly variables?: Record<string, string>;
  readonly config?: VaultConfigOptions;
  readonly options?: ConfigModuleOptions;
}

/** @returns all that the application can read, or the error that stopped the boot */
async function outcomeOf({ variables, config = {}, options = {} }: Draw, reference?: string): Promise<unknown> {
  process.env = { ...environment, ...(reference === undefined ? {} : { DB_PASSWORD: reference }), ...variables };
  @Module({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ...options }),
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        config,
      }),
    ],
  })
  class AppModule {}
  try {
    const app = await bootApplication(AppModule);
    const read = app.get(ConfigService);
    const values = ['DATABASE_URL', 'DB_PASSWORD', 'db'].map((key) => read.get<unknown>(key));
    await app.close();
    return values;
  } catch (error) {
    if (!isVaultError(error)) throw error;
    return error;
  }
}

/** What is left of a reference to this secret, in any letter case, encoded or with escaped slashes. */
const REMAINS = /vault(:|%3a)(\\*\/|%2f)*secret|secret(\\*\/|%2f)+(data(\\*\/|%2f)+)?db(\\*#|%23)/i;

const NUM_RUNS = Number(process.env['REFERENCES_RUNS'] ?? 60);
const SEED = Number(process.env['REFERENCES_SEED'] ?? 20_261_128);

it.each(Object.keys(PLACES) as (keyof typeof PLACES)[])(
  'a text built from a reference is resolved or stops the boot: %s',
  async (place) => {
    let booted = 0;
    const built = fc
      .constantFrom(...REFERENCES)
      .chain((reference) => fc.tuple(fc.constant(reference), textsOf(reference)));
    await fc.assert(
      fc.asyncProperty(built, async ([reference, text]) => {
        const outcome = await outcomeOf(PLACES[place](text), reference);
        if (isVaultError(outcome)) return;
        booted += 1;
        expect(JSON.stringify(outcome)).not.toMatch(REMAINS);
      }),
      { numRuns: NUM_RUNS, seed: SEED },
    );
    // A boot that always stops would hold as well.
    if (!place.includes('ConfigModule')) expect(booted).toBeGreaterThan(3);
  },
);

it('a text that expandVariables builds from references is resolved or stops the boot', async () => {
  const part = fc.constantFrom(
    '${DB_PASSWORD}',
    'postgres://app:',
    '@db',
    '?a=b',
    ' ',
    '/',
    '-x',
    '${DB_PASSWORD:-none}',
    '$DB_PASSWORD',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...REFERENCES),
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (reference, parts, isOverridden) => {
        await writeFile('.env', `DB_PASSWORD="${reference}"\nDATABASE_URL="${parts.join('')}"\n`);
        const inProcess = isOverridden ? 'vault:secret/db#Main' : undefined;
        process.env = { ...environment };
        const outcome = await outcomeOf({ options: { expandVariables: true } }, inProcess);
        if (!isVaultError(outcome)) expect(JSON.stringify(outcome)).not.toMatch(REMAINS);
      },
    ),
    { numRuns: NUM_RUNS, seed: SEED },
  );
  await rm('.env');
});

it('a text built from a reference is resolved or refused by loadVaultConfig', async () => {
  const built = fc
    .constantFrom(...REFERENCES)
    .chain((reference) => fc.tuple(fc.constant(reference), textsOf(reference)));
  await fc.assert(
    fc.asyncProperty(built, async ([reference, text]) => {
      process.env = { ...environment, DB_PASSWORD: reference, DATABASE_URL: text };
      const outcome: unknown = await loadVaultConfig({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
      }).catch((error: unknown) => {
        if (!isVaultError(error)) throw error;
        return undefined;
      });
      const { DATABASE_URL } = (outcome ?? {}) as { DATABASE_URL?: unknown };
      expect(JSON.stringify(DATABASE_URL) ?? '').not.toMatch(REMAINS);
    }),
    { numRuns: NUM_RUNS, seed: SEED },
  );
});
