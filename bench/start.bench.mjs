// A process from its start until a Nest application is up: without secrets, with secrets read by hand, and with the
// module. Every sample is a process of its own, and they run one at a time.
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { startVaultServer } from 'nestjs-vault/testing';
import { positive } from './support/flags.mjs';
import { shuffled, spread } from './support/interleave.mjs';

const APPLICATION = fileURLToPath(new URL('support/start-app.mjs', import.meta.url));
const BASE = 'by hand';
const VARIANTS = ['no secrets', BASE, 'nestjs-vault'];
const FORMATS = ['esm', 'cjs'];
const execute = promisify(execFile);

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '15' },
      secrets: { type: 'string', default: '20' },
      keys: { type: 'string', default: '10' },
      connections: { type: 'string', default: '8' },
      format: { type: 'string', default: 'esm' },
      json: { type: 'boolean', default: false },
    },
  });
  const [rounds, secrets, keys, connections] = ['rounds', 'secrets', 'keys', 'connections'].map((name) =>
    positive(name, values[name]),
  );
  const { format } = values;
  if (!FORMATS.includes(format)) {
    console.error(`--format takes ${FORMATS.join(' or ')}.`);
    process.exit(2);
  }
  const server = await startVaultServer();
  const interrupted = new AbortController();
  process.once('SIGINT', () => {
    interrupted.abort();
    void server.stop().then(() => process.exit(130));
  });
  try {
    const paths = Array.from({ length: secrets }, (_, index) => `bench/${index}`);
    for (const [secret, path] of paths.entries()) {
      const own = Array.from({ length: keys }, (_, key) => [`S${secret}_KEY_${key}`, `value ${key} of ${path}`]);
      await server.seed({ [`secret/${path}`]: Object.fromEntries(own) });
    }
    const given = { format, endpoint: server.endpoint, token: server.rootToken, paths, keys, connections };
    const samples = Object.fromEntries(VARIANTS.map((name) => [name, []]));
    for (let round = 0; round <= rounds; round++) {
      for (const variant of shuffled(VARIANTS)) {
        const sample = await startProcess({ ...given, variant }, interrupted.signal);
        // The first round only brings the files into memory.
        if (round > 0) samples[variant].push(sample);
      }
      if (round > 0) process.stderr.write(`\rround ${round} of ${rounds}`);
    }
    process.stderr.write('\r\u001b[K');
    report({ rounds, secrets, keys, connections, format, server: server.version }, summarize(samples), values.json);
  } finally {
    await server.stop();
  }
}

async function startProcess(given, signal) {
  const { stdout } = await execute(process.execPath, [APPLICATION, JSON.stringify(given)], { signal });
  return JSON.parse(stdout);
}

function summarize(samples) {
  return Object.fromEntries(
    Object.entries(samples).map(([name, rows]) => {
      const column = (field) => spread(rows.map((sample) => sample[field]));
      // Round by round: both sides of each ratio were measured next to each other.
      const against = (field) => spread(rows.map((sample, round) => sample[field] / samples[BASE][round][field]));
      return [
        name,
        {
          importMs: column('importMs'),
          bootMs: column('bootMs'),
          processMs: column('processMs'),
          cpuMs: column('cpuMs'),
          rssMb: column('rssMb'),
          ratio: against('processMs'),
          cpuRatio: against('cpuMs'),
          rssRatio: against('rssMb'),
        },
      ];
    }),
  );
}

function report(run, summary, json) {
  const machine = { node: process.version, cores: cpus().length };
  if (json) return console.log(JSON.stringify({ bench: 'start', ...machine, ...run, summary }));
  console.log(
    `${run.rounds} processes each (${run.format}); ${run.secrets} secrets of ${run.keys} keys over ${run.connections} connections; Node ${machine.node}, ${machine.cores} cores, OpenBao ${run.server}\n`,
  );
  console.log(
    'application    import ms   boot ms   process ms   against by hand (min – max)   CPU ms   against   RSS MB   against',
  );
  for (const [name, row] of Object.entries(summary)) {
    const { ratio } = row;
    console.log(
      [
        name.padEnd(14),
        row.importMs.median.toFixed(0).padStart(10),
        row.bootMs.median.toFixed(0).padStart(10),
        row.processMs.median.toFixed(0).padStart(13),
        `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)})`.padStart(30),
        row.cpuMs.median.toFixed(0).padStart(9),
        row.cpuRatio.median.toFixed(2).padStart(10),
        row.rssMb.median.toFixed(1).padStart(9),
        row.rssRatio.median.toFixed(2).padStart(10),
      ].join(''),
    );
  }
}
