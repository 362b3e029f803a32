// Boot with 10,000 keys from 200 secrets, beside the same application that reads them by hand in parallel; and
// ConfigService.get with and without the module.
import 'reflect-metadata';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Pool } from 'undici';
import { VaultModule } from 'nestjs-vault';
import { startVaultServer } from 'nestjs-vault/testing';
import { positive } from './support/flags.mjs';
import { shuffled, spread } from './support/interleave.mjs';

const BASE = 'by hand';
const OURS = 'nestjs-vault';
const TARGET = 1.25;
const GETS = 200_000;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '21' },
      secrets: { type: 'string', default: '200' },
      keys: { type: 'string', default: '50' },
      connections: { type: 'string', default: '8' },
      json: { type: 'boolean', default: false },
    },
  });
  const [rounds, secrets, keys, connections] = ['rounds', 'secrets', 'keys', 'connections'].map((name) =>
    positive(name, values[name]),
  );
  const server = await startVaultServer();
  process.once('SIGINT', () => void server.stop().then(() => process.exit(130)));
  try {
    const paths = Array.from({ length: secrets }, (_, index) => `bench/${index}`);
    const names = paths.flatMap((_, secret) => Array.from({ length: keys }, (_, key) => `S${secret}_KEY_${key}`));
    for (const [secret, path] of paths.entries()) {
      const own = names.slice(secret * keys, (secret + 1) * keys);
      await server.seed({ [`secret/${path}`]: Object.fromEntries(own.map((name) => [name, `value-of-${name}`])) });
    }
    const modules = {
      [BASE]: () => readByHand(server, paths, connections),
      [OURS]: () =>
        VaultModule.forRoot({
          endpoint: server.endpoint,
          auth: { method: 'token', token: server.rootToken },
          request: { maxConnections: connections },
          config: { sources: paths },
        }),
    };
    const boots = Object.fromEntries(Object.keys(modules).map((name) => [name, []]));
    const gets = Object.fromEntries(Object.keys(modules).map((name) => [name, []]));
    for (let round = -2; round < rounds; round++) {
      const configs = {};
      for (const name of shuffled(Object.keys(modules))) {
        const { sample, config } = await measureBoot(modules[name], names);
        configs[name] = config;
        // The first two rounds only warm up.
        if (round >= 0) boots[name].push(sample);
      }
      const fastest = measureGets(configs, names);
      for (const name of Object.keys(modules)) if (round >= 0) gets[name].push(fastest[name]);
      if (round >= 0) process.stderr.write(`\rround ${round + 1} of ${rounds}`);
    }
    process.stderr.write('\r\u001b[K');
    report({ rounds, secrets, keys: names.length, connections, server: server.version }, { boots, gets }, values.json);
  } finally {
    await server.stop();
  }
}

/** The least one can do: a look at the token, as every login with one begins, then all requests at once over a pool, JSON.parse, one object for ConfigService. */
function readByHand(server, paths, connections) {
  const headers = { 'X-Vault-Token': server.rootToken };
  return {
    module: class ByHandModule {},
    imports: [
      ConfigModule.forRoot({
        isGlobal: true,
        ignoreEnvFile: true,
        load: [
          async () => {
            const pool = new Pool(server.endpoint, { connections });
            await pool
              .request({ method: 'GET', path: '/v1/auth/token/lookup-self', headers })
              .then(({ body }) => body.json());
            const secrets = await Promise.all(
              paths.map(async (path) => {
                const { body } = await pool.request({ method: 'GET', path: `/v1/secret/data/${path}`, headers });
                return JSON.parse(await body.text()).data.data;
              }),
            );
            await pool.close();
            return Object.assign({}, ...secrets);
          },
        ],
      }),
    ],
  };
}

async function measureBoot(module, names) {
  // One variant must not pay for the garbage of the other.
  collectGarbage();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const app = await NestFactory.createApplicationContext(
    {
      module: class BenchModule {},
      imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), module()],
    },
    { logger: ['warn', 'error'] },
  );
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  const config = app.get(ConfigService);
  for (const name of names) if (config.get(name) !== `value-of-${name}`) throw new Error(`${name} is missing.`);
  await app.close();
  return { sample: { ms, cpuMs: (user + system) / 1000 }, config };
}

/** Nanoseconds for one get, the best of nine turns each: what else the machine does only ever adds to it. */
function measureGets(configs, names) {
  collectGarbage();
  const fastest = {};
  for (let turn = 0; turn < 9; turn++) {
    for (const name of shuffled(Object.keys(configs))) {
      const config = configs[name];
      let found = 0;
      const start = performance.now();
      for (let index = 0; index < GETS; index++) if (config.get(names[index % names.length]) !== undefined) found += 1;
      const elapsedMs = performance.now() - start;
      if (found !== GETS) throw new Error('A key is missing.');
      fastest[name] = Math.min(fastest[name] ?? Infinity, (elapsedMs * 1e6) / GETS);
    }
  }
  return fastest;
}

function report(run, { boots, gets }, json) {
  const ratios = (rows, base) => spread(rows.map((value, round) => value / base[round]));
  const column = (name, field) => boots[name].map((sample) => sample[field]);
  const summary = Object.fromEntries(
    Object.keys(boots).map((name) => [
      name,
      {
        bootMs: spread(column(name, 'ms')),
        cpuMs: spread(column(name, 'cpuMs')),
        getNs: spread(gets[name]),
        // Round by round: both sides of each ratio were measured next to each other.
        ratio: ratios(column(name, 'ms'), column(BASE, 'ms')),
        cpuRatio: ratios(column(name, 'cpuMs'), column(BASE, 'cpuMs')),
        getRatio: ratios(gets[name], gets[BASE]),
      },
    ]),
  );
  const machine = { node: process.version, cores: cpus().length };
  if (json) return console.log(JSON.stringify({ bench: 'config', ...machine, ...run, target: TARGET, summary }));
  console.log(
    `${run.rounds} boots each; ${run.keys} keys from ${run.secrets} secrets over ${run.connections} connections; Node ${machine.node}, ${machine.cores} cores, OpenBao ${run.server}\n`,
  );
  console.log('application       boot ms   against by hand (min – max)   CPU ms   against   get() ns   against');
  for (const [name, row] of Object.entries(summary)) {
    const { ratio } = row;
    const spreadOf = `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`;
    console.log(
      [
        name.padEnd(14),
        row.bootMs.median.toFixed(0).padStart(11),
        spreadOf.padStart(30),
        row.cpuMs.median.toFixed(0).padStart(9),
        row.cpuRatio.median.toFixed(2).padStart(10),
        row.getNs.median.toFixed(0).padStart(11),
        row.getRatio.median.toFixed(2).padStart(10),
      ].join(''),
    );
  }
  const { median } = summary[OURS].ratio;
  console.log(
    `\nTarget for ${OURS}: boot at most ${TARGET} × by hand. ${median <= TARGET ? 'Met' : 'Not met'} (${median.toFixed(2)}).`,
  );
}
