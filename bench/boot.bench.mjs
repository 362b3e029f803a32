// A boot from cold over TLS with a round trip of 20 ms: log in, read 100 secrets. Wall time, connections and requests.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import nodeVault from 'node-vault';
import { Pool } from 'undici';
import { loadVaultConfig } from 'nestjs-vault';
import { startVaultServer } from 'nestjs-vault/testing';
import { countRequests } from './support/count-requests.mjs';
import { startDelayProxy } from './support/delay-proxy.mjs';
import { positive } from './support/flags.mjs';
import { shuffled, spread } from './support/interleave.mjs';

const BASE = 'raw undici, HTTP/2';
const OURS = 'nestjs-vault';
const TARGET = 1.2;
const LOGIN = { method: 'POST', path: '/v1/auth/userpass/login/app', body: '{"password":"bench-password"}' };

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '9' },
      secrets: { type: 'string', default: '100' },
      'round-trip': { type: 'string', default: '20' },
      json: { type: 'boolean', default: false },
    },
  });
  const [rounds, secrets, roundTripMs] = ['rounds', 'secrets', 'round-trip'].map((name) =>
    positive(name, values[name]),
  );
  const server = await startVaultServer({ tls: true });
  const proxy = await startDelayProxy(Number(new URL(server.endpoint).port), roundTripMs);
  const stop = async () => {
    await proxy.close();
    await server.stop();
  };
  process.once('SIGINT', () => void stop().then(() => process.exit(130)));
  try {
    const paths = Array.from({ length: secrets }, (_, index) => `bench/${index}`);
    await server.seed(Object.fromEntries(paths.map((path, index) => [`secret/${path}`, { [`KEY_${index}`]: index }])));
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('PUT', 'sys/policies/acl/bench', { policy: 'path "secret/*" { capabilities = ["read"] }' });
    await server.request('POST', 'auth/userpass/users/app', { password: 'bench-password', token_policies: ['bench'] });
    const variants = variantsOf(`https://127.0.0.1:${proxy.port}`, server.ca, paths);
    const counter = countRequests();
    const samples = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const name of shuffled(Object.keys(variants))) {
        proxy.takeConnections();
        counter.take();
        const start = performance.now();
        check(await variants[name](), secrets);
        const ms = performance.now() - start;
        // The first round warms up.
        if (round > 0) samples[name].push({ ms, connections: proxy.takeConnections(), requests: counter.take() });
      }
      process.stderr.write(`\rround ${round} of ${rounds}`);
    }
    process.stderr.write('\r\u001b[K');
    report({ rounds, secrets, roundTripMs, server: server.version }, summarize(samples), values.json);
  } finally {
    await stop();
  }
}

function variantsOf(endpoint, ca, paths) {
  const raw = (options) => async () => {
    const pool = new Pool(endpoint, { connect: { ca }, ...options });
    const json = async (request) => (await pool.request(request)).body.json();
    const { auth } = await json({ ...LOGIN, headers: { 'content-type': 'application/json' } });
    const headers = { 'x-vault-token': auth.client_token };
    const read = async (path) => (await json({ method: 'GET', path: `/v1/secret/data/${path}`, headers })).data.data;
    const found = Object.assign({}, ...(await Promise.all(paths.map(read))));
    await pool.close();
    return found;
  };
  const shipped = (readAll) => async () => {
    const client = nodeVault({ endpoint, requestOptions: { ca } });
    await client.userpassLogin({ username: 'app', password: 'bench-password' });
    const read = async (path) => (await client.read(`secret/data/${path}`)).data.data;
    return Object.assign({}, ...(await readAll(read)));
  };
  return {
    [BASE]: raw({ allowH2: true, connections: 1, pipelining: paths.length }),
    [OURS]: () =>
      loadVaultConfig({
        endpoint,
        tls: { ca },
        auth: { method: 'userpass', username: 'app', password: 'bench-password' },
        config: { sources: paths },
        shutdown: { revoke: false },
      }),
    'raw undici, 16 connections': raw({ connections: 16 }),
    'node-vault, Promise.all': shipped((read) => Promise.all(paths.map(read))),
    'node-vault, one by one': shipped(async (read) => {
      const found = [];
      for (const path of paths) found.push(await read(path));
      return found;
    }),
  };
}

function check(found, secrets) {
  if (Object.keys(found).length !== secrets || found.KEY_0 !== 0) throw new Error('A variant read something else.');
}

function summarize(samples) {
  const base = samples[BASE];
  return Object.fromEntries(
    Object.entries(samples).map(([name, rows]) => [
      name,
      {
        ms: spread(rows.map(({ ms }) => ms)),
        connections: spread(rows.map(({ connections }) => connections)).median,
        requests: spread(rows.map(({ requests }) => requests)).median,
        ratio: spread(rows.map(({ ms }, round) => ms / base[round].ms)),
      },
    ]),
  );
}

function report(run, summary, json) {
  const machine = { node: process.version, cores: cpus().length };
  if (json) return console.log(JSON.stringify({ bench: 'boot', ...machine, ...run, target: TARGET, summary }));
  console.log(
    `${run.rounds} boots: login and ${run.secrets} secrets, TLS, ${run.roundTripMs} ms round trip; Node ${machine.node}, ${machine.cores} cores, OpenBao ${run.server}\n`,
  );
  console.log('variant                      ms    connections   requests   against raw HTTP/2 (min – max)');
  for (const [name, { ms, connections, requests, ratio }] of Object.entries(summary)) {
    const cells = [
      name.padEnd(26),
      ms.median.toFixed(0).padStart(5),
      String(connections).padStart(15),
      String(requests).padStart(11),
    ];
    console.log(`${cells.join('')}   ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`);
  }
  const { median } = summary[OURS].ratio;
  console.log(
    `\nTarget for ${OURS}: at most ${TARGET} × raw HTTP/2. ${median <= TARGET ? 'Met' : 'Not met'} (${median.toFixed(2)}).`,
  );
}
