// Started by the start bench, once for each sample: boots one application and prints what that has cost the process so far.
import { createRequire } from 'node:module';

const { format, variant, endpoint, token, paths, keys, connections } = JSON.parse(process.argv[2]);
const PACKAGES = {
  'no secrets': [],
  'by hand': ['undici'],
  'nestjs-vault': ['nestjs-vault'],
};
const require = createRequire(import.meta.url);
const load = format === 'cjs' ? require : (name) => import(name);

const begun = performance.now();
// As the imports at the top of a program: with ESM they are loaded side by side.
const [, { NestFactory }, { ConfigModule, ConfigService }, extra] = await Promise.all(
  ['reflect-metadata', '@nestjs/core', '@nestjs/config', ...PACKAGES[variant]].map(load),
);
const imported = performance.now();
const app = await NestFactory.createApplicationContext(
  { module: class StartModule {}, imports: importsOf(variant) },
  { logger: ['warn', 'error'] },
);
const booted = performance.now();
const { user, system } = process.cpuUsage();
const rssMb = process.memoryUsage().rss / 2 ** 20;

const config = app.get(ConfigService);
const found = paths.flatMap((path, secret) =>
  Array.from({ length: keys }, (_, key) => config.get(`S${secret}_KEY_${key}`) === `value ${key} of ${path}`),
);
if (found.some((right) => right !== (variant !== 'no secrets'))) throw new Error(`"${variant}" read something else.`);
await app.close();
console.log(
  JSON.stringify({
    importMs: imported - begun,
    bootMs: booted - imported,
    // Of the clock that began with the process.
    processMs: booted,
    cpuMs: (user + system) / 1000,
    rssMb,
  }),
);

function importsOf(name) {
  const own = (options) => ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, ...options });
  if (name === 'no secrets') return [own()];
  if (name === 'by hand') return [own({ load: [readByHand] })];
  const auth = { method: 'token', token };
  return [
    own(),
    extra.VaultModule.forRoot({
      endpoint,
      auth,
      request: { maxConnections: connections },
      config: { sources: paths },
    }),
  ];
}

/** The least one can do: a look at the token, as every login with one begins, then all requests at once. */
async function readByHand() {
  const headers = { 'X-Vault-Token': token };
  const pool = new extra.Pool(endpoint, { connections });
  const read = async (path) => (await pool.request({ method: 'GET', path: `/v1/${path}`, headers })).body.json();
  await read('auth/token/lookup-self');
  const secrets = await Promise.all(paths.map(async (path) => (await read(`secret/data/${path}`)).data.data));
  await pool.close();
  return Object.assign({}, ...secrets);
}
