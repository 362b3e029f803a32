// One workspace's packages in one format, under the names the graphs use.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pause } from './random.mjs';
import {
  EXPECTED,
  FEATURED,
  LISTED,
  LOADED,
  NAMESPACE,
  REFERENCE,
  REFERRING,
  SECOND_SECRETS,
  SECRETS,
} from './values.mjs';

const PATH = 'stress';

async function packagesOf(workspace, format) {
  if (format === 'esm') return import(pathToFileURL(join(workspace, 'packages.mjs')));
  return createRequire(join(workspace, 'package.json'))('./packages.cjs');
}

const versionOf = (workspace, name) => createRequire(join(workspace, 'package.json'))(`${name}/package.json`).version;

/** @returns the kit; in `vault` mode with `VaultModule`, in `plain` mode with the plain loaders instead. */
export async function loadKit({ workspace, format, mode }) {
  const { common, core, config, vault } = await packagesOf(workspace, format);
  const nestVersion = versionOf(workspace, '@nestjs/core');
  const kit = {
    ...common,
    ...core,
    ...config,
    versions: { nest: nestVersion, config: versionOf(workspace, '@nestjs/config') },
    loaders: () => [],
    // Nest 10 gives a lazily loaded module a ConfigModule of its own, empty whatever the loader; there it relies on the
    // global one.
    importsWhenLazy: nestVersion.startsWith('10.') ? [] : [config.ConfigModule],
    async boot(Root, idAlgorithm) {
      const options = {
        logger: false,
        abortOnError: false,
        ...(idAlgorithm && { moduleIdGeneratorAlgorithm: idAlgorithm }),
      };
      return core.NestFactory.createApplicationContext(Root, options);
    },
  };
  if (mode === 'plain') {
    const slowly = (value, delay) => async () => (await pause(Math.abs(delay) + 1), value);
    const loaders = (delay) => [
      slowly({ ...SECRETS, [REFERENCE]: SECRETS.STRESS_PASSWORD }, delay),
      config.registerAs(LOADED, slowly({ url: EXPECTED[`${LOADED}.url`] }, delay)),
      ...[NAMESPACE, LISTED].map((name) => config.registerAs(name, slowly(SECRETS, delay))),
    ];
    return { ...kit, loaders };
  }
  const { OnVaultChange, vaultConfig, VaultModule, VaultService } = await vault();
  const sources = [PATH, { secretPath: PATH, as: NAMESPACE }, vaultConfig(LISTED, { secretPath: PATH })];
  process.env[REFERENCE] = REFERRING.variable;
  const load = [config.registerAs(LOADED, async () => ({ url: REFERRING.url }))];
  const endpoint = process.env.VAULT_ADDR;
  const auth = { method: 'token', token: process.env.VAULT_TOKEN };
  const read = (vaultService) => vaultService.kv('secret').read(PATH);
  return {
    ...kit,
    OnVaultChange,
    vaultConfig,
    VaultModule,
    VaultService,
    featured: vaultConfig(FEATURED, { secretPath: PATH }),
    optionsMethod: 'createVaultOptions',
    vaultOptions: { endpoint, auth, config: { sources, load } },
    secondOptions: { endpoint, auth, config: { sources: ['stress-second'] } },
    async readThrough(vaultService, who) {
      const { data } = await read(vaultService);
      if (data.STRESS_PASSWORD !== SECRETS.STRESS_PASSWORD) throw new Error(`${who} read something else`);
    },
  };
}

/** Every secret string that must not turn up in process.env. */
export const SECRET_STRINGS = [
  SECRETS.STRESS_PASSWORD,
  SECRETS.STRESS_TREE.branch.leaf,
  SECOND_SECRETS.SECOND_PASSWORD,
];
