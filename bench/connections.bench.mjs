// What HTTP/2 is worth: a login and parallel reads over TLS with a delay, and the client CPU of a read without one.
import { connect as connectHttp2 } from 'node:http2';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { Pool } from 'undici';
import { startVaultServer } from 'nestjs-vault/testing';
import { startDelayProxy } from './support/delay-proxy.mjs';
import { spread } from './support/interleave.mjs';

const { Connections } = await tsImport('../lib/client/connections/connections.ts', import.meta.url);

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '9' },
      secrets: { type: 'string', default: '100' },
      rtt: { type: 'string', default: '20' },
      reads: { type: 'string', default: '1500' },
    },
  });
  const [rounds, secrets, rttMs, reads] = [values.rounds, values.secrets, values.rtt, values.reads].map(Number);
  const server = await startVaultServer({ tls: true });
  const proxy = await startDelayProxy(server.port, rttMs);
  try {
    await server.seed(
      Object.fromEntries(Array.from({ length: secrets }, (_, i) => [`secret/s${i}`, { password: 'x'.repeat(32) }])),
    );
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'auth/userpass/users/bench', { password: 'bench' });
    const headers = { 'x-vault-token': server.rootToken };
    const makers = variants(server.ca);
    const boots = {};
    const cpu = {};
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, make] of Object.entries(makers)) {
        proxy.takeConnections();
        const started = performance.now();
        const client = await make(`https://127.0.0.1:${proxy.port}`);
        await client.call('POST', '/v1/auth/userpass/login/bench', {}, '{"password":"bench"}');
        await Promise.all(
          Array.from({ length: secrets }, (_, i) => client.call('GET', `/v1/secret/data/s${i}`, headers)),
        );
        (boots[name] ??= []).push({ ms: performance.now() - started, connections: proxy.takeConnections() });
        await client.close();
      }
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, make] of Object.entries(makers)) {
        const client = await make(server.endpoint);
        await client.call('GET', '/v1/secret/data/s0', headers);
        let left = reads;
        const before = process.cpuUsage();
        await Promise.all(
          Array.from({ length: 8 }, async () => {
            while (left-- > 0) await client.call('GET', '/v1/secret/data/s0', headers);
          }),
        );
        const { user, system } = process.cpuUsage(before);
        (cpu[name] ??= []).push((user + system) / reads);
        await client.close();
      }
    }
    console.log(
      `Login and ${secrets} parallel reads over TLS, ${rttMs} ms round trip; CPU of a read without delay, 8 at a time. ` +
        `${rounds} rounds, medians (least – most). Node ${process.version}, ${cpus().length} cores, OpenBao ${server.version}\n`,
    );
    for (const name of Object.keys(makers)) {
      const ms = spread(boots[name].map((row) => row.ms));
      const us = spread(cpu[name]);
      const connections = Math.max(...boots[name].map((row) => row.connections));
      console.log(
        `${name.padEnd(28)} ${ms.median.toFixed(0).padStart(5)} ms (${ms.min.toFixed(0)} – ${ms.max.toFixed(0)})  ` +
          `${String(connections).padStart(2)} connection(s)  ${us.median.toFixed(0).padStart(4)} µs (${us.min.toFixed(0)} – ${us.max.toFixed(0)})`,
      );
    }
  } finally {
    await proxy.close();
    await server.stop();
  }
}

function variants(ca) {
  const raw = (options) => (origin) => {
    const pool = new Pool(origin, { ...options, connect: { ca } });
    return {
      call: async (method, path, headers, body) => {
        const answer = await pool.request({ method, path, headers, body });
        return answer.body.json();
      },
      close: () => pool.destroy(),
    };
  };
  const ours = (options) => async (endpoint) => {
    const connections = await Connections.prepare({ endpoint, tls: { ca }, connectTimeoutMs: 5000, ...options });
    return {
      call: (method, path, headers, body) =>
        new Promise((resolve, reject) => {
          const chunks = [];
          connections.dispatch(
            { method, path, headers, body },
            {
              onRequestStart() {},
              onResponseStart() {},
              onResponseData: (_, chunk) => chunks.push(chunk),
              onResponseEnd: () => resolve(JSON.parse(Buffer.concat(chunks).toString())),
              onResponseError: (_, error) => reject(error),
            },
          );
        }),
      close: () => connections.close(),
    };
  };
  return {
    'undici, HTTP/1.1, 8': raw({ connections: 8 }),
    'undici, HTTP/1.1, 16': raw({ connections: 16 }),
    'undici, HTTP/2, 1': raw({ connections: 1, allowH2: true, pipelining: 100 }),
    'node:http2, 1': rawHttp2(ca),
    'nestjs-vault, HTTP/1.1, 8': ours({ http2: false, maxConnections: 8 }),
    'nestjs-vault, HTTP/2': ours({ maxConnections: 8 }),
  };
}

function rawHttp2(ca) {
  return (origin) => {
    const session = connectHttp2(origin, { ca });
    return {
      call: (method, path, headers, body) =>
        new Promise((resolve, reject) => {
          const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: !body });
          const chunks = [];
          stream.on('data', (chunk) => chunks.push(chunk));
          stream.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
          stream.on('error', reject);
          if (body) stream.end(body);
        }),
      close: () => new Promise((resolve) => session.close(resolve)),
    };
  };
}
