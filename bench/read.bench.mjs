// Client CPU of reading one KV v2 secret: raw undici, this module, node-vault as shipped, fetch by hand; of a real server, or
// with --stub of a server that costs nothing in this process's time. --hop: what node-vault adds to one of our calls.
import 'reflect-metadata';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import nodeVault from 'node-vault';
import { Pool } from 'undici';
import { VaultModule, VaultService } from 'nestjs-vault';
import { startVaultServer } from 'nestjs-vault/testing';
import { positive } from './support/flags.mjs';
import { measureHop } from './support/hop.mjs';
import { interleave, spread } from './support/interleave.mjs';
import { startStubServer } from './support/stub-server.mjs';

const BASE = 'raw undici';
const OURS = 'nestjs-vault';
/** At most, against raw undici, by the number of concurrent reads. */
const TARGETS = { server: { 8: 1.05 }, stub: { 8: 1, 32: 1.1 } };
const SECRET = { username: 'app', password: 'x'.repeat(32), port: 5432, options: { ssl: true, pool: 10 } };

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string' },
      reads: { type: 'string' },
      concurrency: { type: 'string' },
      stub: { type: 'boolean', default: false },
      hop: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  if (values.hop) return measureHop(values);
  const rounds = positive('rounds', values.rounds ?? '9');
  const operations = positive('reads', values.reads ?? (values.stub ? '5000' : '1500'));
  const concurrencies = (values.concurrency ?? (values.stub ? '8,32' : '8'))
    .split(',')
    .map((text) => positive('concurrency', text));
  for (const concurrency of concurrencies) await measure({ rounds, operations, concurrency }, values);
}

async function measure({ rounds, operations, concurrency }, { stub, json }) {
  const server = stub ? await startStubServer(SECRET) : await startVaultServer();
  const pool = new Pool(server.endpoint, { connections: concurrency });
  let app;
  const stop = async () => {
    await app?.close();
    await pool.destroy();
    await server.stop();
  };
  const onSignal = () => void stop().then(() => process.exit(130));
  process.once('SIGINT', onSignal);
  try {
    if (!stub) await server.seed({ 'secret/bench': SECRET });
    app = await NestFactory.createApplicationContext(
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        request: { maxConnections: concurrency },
      }),
      { logger: false },
    );
    const compared = stub
      ? stubVariants(server, pool, app.get(VaultService))
      : variants(server, pool, app.get(VaultService));
    const samples = await interleave(compared, {
      rounds,
      operations,
      concurrency,
      onRound: (round) => process.stderr.write(`\rround ${round} of ${rounds}`),
    });
    process.stderr.write('\r\u001b[K');
    const target = TARGETS[stub ? 'stub' : 'server'][concurrency];
    report({ rounds, operations, concurrency, server: server.version }, summarize(samples), target, json);
  } finally {
    process.off('SIGINT', onSignal);
    await stop();
  }
}

/** Both sides of the ratio, and the least that undici can do: its `dispatch` with a handler that only waits for the end. */
function stubVariants(server, pool, vault) {
  const headers = { 'X-Vault-Token': server.rootToken };
  const kv = vault.kv();
  const options = { method: 'GET', path: '/v1/secret/data/bench', headers };
  return {
    [BASE]: async () => {
      const { body } = await pool.request({ method: 'GET', path: '/v1/secret/data/bench', headers });
      check((await body.json()).data.data);
    },
    [OURS]: async () => check((await kv.read('bench')).data),
    'bare dispatch': () =>
      new Promise((resolve, reject) =>
        pool.dispatch(options, {
          onRequestStart: () => undefined,
          onResponseStart: () => undefined,
          onResponseData: () => undefined,
          onResponseEnd: resolve,
          onResponseError: (_, error) => reject(error),
        }),
      ),
  };
}

function variants(server, pool, vault) {
  const headers = { 'X-Vault-Token': server.rootToken };
  const shipped = nodeVault({ endpoint: server.endpoint, token: server.rootToken });
  const { [BASE]: raw, [OURS]: ours } = stubVariants(server, pool, vault);
  return {
    [BASE]: raw,
    [OURS]: ours,
    'node-vault': async () => check((await shipped.read('secret/data/bench')).data.data),
    fetch: async () =>
      check((await (await fetch(`${server.endpoint}/v1/secret/data/bench`, { headers })).json()).data.data),
  };
}

function check(data) {
  if (data.port !== SECRET.port) throw new Error('A variant read something else.');
}

function summarize(samples) {
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

function report(run, summary, target, json) {
  const machine = { node: process.version, cores: cpus().length };
  if (json) return console.log(JSON.stringify({ bench: 'read', ...machine, ...run, target, summary }));
  console.log(
    `${run.rounds} rounds of ${run.operations} reads, ${run.concurrency} at a time; Node ${machine.node}, ${machine.cores} cores, ${run.server}\n`,
  );
  console.log('variant        CPU µs/read       reads/s   CPU against raw undici (min – max)');
  for (const [name, { cpuUs, perSecond, ratio }] of Object.entries(summary)) {
    const cells = [name.padEnd(14), cpuUs.median.toFixed(1).padStart(11), perSecond.median.toFixed(0).padStart(13)];
    console.log(`${cells.join('')}   ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`);
  }
  const { median } = summary[OURS].ratio;
  const met = target === undefined ? '' : ` Target: at most ${target}, ${median <= target ? 'met' : 'not met'}.`;
  console.log(`\n${OURS}: ${median.toFixed(2)} × raw undici.${met}\n`);
}
