// What a session costs an idle application, and how soon an application works again after the leader of its cluster died.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { startVaultServer } from 'nestjs-vault/testing';
import { spread } from './support/interleave.mjs';
// The fault lab is TypeScript.
import { positive } from './support/flags.mjs';
import '../test/support/typescript-loader.mjs';

const TTLS = { '1 min': 60, '1 h': 3600, '768 h (the default)': 768 * 3600 };
const HOUR_S = 3600;

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      ttl: { type: 'string', default: '2' },
      kills: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, ttl, kills] = ['seconds', 'ttl', 'kills'].map((name) => positive(name, values[name]));
  const idle = await measureIdle(seconds, ttl);
  const recovery = await measureRecovery(kills);
  report({ seconds, ttl, kills }, idle, recovery, values.json);
}

/** Two applications at the same time: one with a session to keep, one with a token that never ends. */
async function measureIdle(seconds, ttl) {
  const { forwardTo, startFaultServer } = await import('../test/support/fault-server.ts');
  const server = await startVaultServer();
  const front = await startFaultServer(forwardTo(server.endpoint));
  const apps = [];
  try {
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_ttl: `${ttl}s` });
    const auths = [
      { method: 'userpass', username: 'app', password: 'pw-of-app' },
      { method: 'token', token: server.rootToken },
    ];
    for (const auth of auths) apps.push(await startApp({ endpoint: front.endpoint, auth }));
    // What booting leaves to do, and to compile.
    await delay(5 * ttl * 1000);
    const before = front.requests.length;
    const cpuBefore = await Promise.all(apps.map(cpuMs));
    await delay(seconds * 1000);
    const [session, base] = (await Promise.all(apps.map(cpuMs))).map((ms, index) => ms - cpuBefore[index]);
    const requests = front.requests.slice(before);
    const renewals = requests.filter(({ url }) => url.endsWith('/renew-self')).length;
    return { requests: requests.length, renewals, cpuMs: session, baseCpuMs: base, server: server.version };
  } finally {
    for (const app of apps) app.send('close');
    await Promise.all(apps.map((app) => app.exitCode ?? once(app, 'exit')));
    await front.close();
    await server.stop();
  }
}

async function startApp(options) {
  const program = fileURLToPath(new URL('support/idle-app.mjs', import.meta.url));
  const app = fork(program, [JSON.stringify(options)]);
  const [message] = await Promise.race([once(app, 'message'), once(app, 'exit')]);
  if (message !== 'ready') throw new Error('The application did not boot.');
  return app;
}

async function cpuMs(app) {
  app.send('cpu');
  const [{ user, system }] = await once(app, 'message');
  return (user + system) / 1000;
}

async function measureRecovery(kills) {
  const { RaftCluster } = await import('../test/support/raft-cluster.ts');
  const { loseLeaders, prepareCluster } = await import('../test/support/leader-loss.ts');
  const cluster = await RaftCluster.start();
  try {
    await prepareCluster(cluster);
    const outcome = await loseLeaders(cluster, kills, 'killed');
    const { reads, failures, longestMs, readsAfterMs, writesAfterMs } = outcome;
    return {
      reads,
      failed: failures.length,
      longestMs,
      readsAfterMs: spread(readsAfterMs),
      writesAfterMs: spread(writesAfterMs),
    };
  } finally {
    await cluster.stop();
  }
}

function report(run, idle, recovery, json) {
  const perRequestMs = Math.max(0, idle.cpuMs - idle.baseCpuMs) / idle.requests;
  const perHour = Object.fromEntries(
    Object.entries(TTLS).map(([name, ttl]) => {
      // Renewal is planned as a share of the ttl, so it happens as much less often as the ttl is longer.
      const requests = (idle.requests / run.seconds) * HOUR_S * (run.ttl / ttl);
      return [name, { requests, cpuMs: requests * perRequestMs }];
    }),
  );
  const machine = { node: process.version, cores: cpus().length };
  if (json) {
    return console.log(JSON.stringify({ bench: 'session', ...machine, ...run, idle, perRequestMs, perHour, recovery }));
  }
  console.log(`Node ${machine.node}, ${machine.cores} cores, OpenBao ${idle.server}\n`);
  console.log(
    `Idle session, measured for ${run.seconds} s with a ttl of ${run.ttl} s: ${idle.requests} requests ` +
      `(${idle.renewals} renewals); CPU ${idle.cpuMs.toFixed(0)} ms, of which ${idle.baseCpuMs.toFixed(0)} ms are used ` +
      `without a session to keep; ${perRequestMs.toFixed(2)} ms each\n`,
  );
  console.log('extrapolated, ttl      requests/h   CPU ms/h');
  for (const [name, { requests, cpuMs: cpu }] of Object.entries(perHour)) {
    console.log(`${name.padEnd(20)}${requests.toFixed(3).padStart(13)}${cpu.toFixed(3).padStart(11)}`);
  }
  const times = ({ min, median, max }) => `${[min, median, max].map((ms) => ms.toFixed(0)).join(' / ')} ms`;
  console.log(
    `\nLeader killed ${run.kills} times under ${recovery.reads} reads at 200 a second: ${recovery.failed} failed, the longest ` +
      `took ${recovery.longestMs.toFixed(0)} ms.\nFrom the kill (min / median / max): a read begun after it has ended well ` +
      `${times(recovery.readsAfterMs)}; a write, which takes a new leader, ${times(recovery.writesAfterMs)}.`,
  );
}
