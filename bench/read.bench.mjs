// Client CPU of reading one KV v2 secret: raw undici, this module, node-vault as shipped, fetch by hand.
import 'reflect-metadata';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import nodeVault from 'node-vault';
import { Pool } from 'undici';
import { VaultModule, VaultService } from 'nestjs-vault';
import { startVaultServer } from 'nestjs-vault/testing';
import { positive } from './support/flags.mjs';
import { interleave, spread } from './support/interleave.mjs';

const BASE = 'raw undici';
const OURS = 'nestjs-vault';
const TARGET = 1.2;
const SECRET = { username: 'app', password: 'x'.repeat(32), port: 5432, options: { ssl: true, pool: 10 } };

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '9' },
      reads: { type: 'string', default: '1500' },
      concurrency: { type: 'string', default: '8' },
      json: { type: 'boolean', default: false },
    },
  });
  const [rounds, operations, concurrency] = ['rounds', 'reads', 'concurrency'].map((name) =>
    positive(name, values[name]),
  );
  const server = await startVaultServer();
  const pool = new Pool(server.endpoint, { connections: concurrency });
  let app;
  const stop = async () => {
    await app?.close();
    await pool.destroy();
    await server.stop();
  };
  process.once('SIGINT', () => void stop().then(() => process.exit(130)));
  try {
    await server.seed({ 'secret/bench': SECRET });
    app = await NestFactory.createApplicationContext(
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        request: { maxConnections: concurrency },
      }),
      { logger: false },
    );
    const samples = await interleave(variants(server, pool, app.get(VaultService)), {
      rounds,
      operations,
      concurrency,
      onRound: (round) => process.stderr.write(`\rround ${round} of ${rounds}`),
    });
    process.stderr.write('\r\u001b[K');
    report({ rounds, operations, concurrency, server: server.version }, summarise(samples), values.json);
  } finally {
    await stop();
  }
}

function variants(server, pool, vault) {
  const headers = { 'X-Vault-Token': server.rootToken };
  const kv = vault.kv();
  const shipped = nodeVault({ endpoint: server.endpoint, token: server.rootToken });
  return {
    [BASE]: async () => {
      const { body } = await pool.request({ method: 'GET', path: '/v1/secret/data/bench', headers });
      check((await body.json()).data.data);
    },
    [OURS]: async () => check((await kv.read('bench')).data),
    'node-vault': async () => check((await shipped.read('secret/data/bench')).data.data),
    fetch: async () =>
      check((await (await fetch(`${server.endpoint}/v1/secret/data/bench`, { headers })).json()).data.data),
  };
}

function check(data) {
  if (data.port !== SECRET.port) throw new Error('A variant read something else.');
}

function summarise(samples) {
  const base = samples[BASE];
  return Object.fromEntries(
    Object.entries(samples).map(([name, rows]) => [
      name,
      {
        cpuUs: spread(rows.map(({ cpuUs }) => cpuUs)),
        perSecond: spread(rows.map(({ perSecond }) => perSecond)),
        // Round by round: both sides of each ratio were measured next to each other.
        ratio: spread(rows.map(({ cpuUs }, round) => cpuUs / base[round].cpuUs)),
      },
    ]),
  );
}

function report(run, summary, json) {
  const machine = { node: process.version, cores: cpus().length };
  if (json) return console.log(JSON.stringify({ bench: 'read', ...machine, ...run, target: TARGET, summary }));
  console.log(
    `${run.rounds} rounds of ${run.operations} reads, ${run.concurrency} at a time; Node ${machine.node}, ${machine.cores} cores, OpenBao ${run.server}\n`,
  );
  console.log('variant        CPU µs/read       reads/s   CPU against raw undici (min – max)');
  for (const [name, { cpuUs, perSecond, ratio }] of Object.entries(summary)) {
    const cells = [name.padEnd(14), cpuUs.median.toFixed(0).padStart(11), perSecond.median.toFixed(0).padStart(13)];
    console.log(`${cells.join('')}   ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`);
  }
  const { median } = summary[OURS].ratio;
  console.log(
    `\nTarget for ${OURS}: at most ${TARGET} × raw undici. ${median <= TARGET ? 'Met' : 'Not met'} (${median.toFixed(2)}).`,
  );
}
