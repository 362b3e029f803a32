// How long making a server's text fit for an error blocks the event loop: it is one piece of synchronous work. The text
// quotes parts of the secrets, which is the most work there is. Milliseconds are the process's own CPU time.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { positive } from './support/flags.mjs';

const { redact } = await tsImport('../lib/errors/redact.ts', import.meta.url);
const { secretsSent } = await tsImport('../lib/client/prepare-request.ts', import.meta.url);
const TARGET_MS = 50;
const MIB = 1024 * 1024;

const address = (index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
const addresses = (length) => {
  const lines = [];
  for (let size = 0, index = 0; size < length; index += 1) size += lines[lines.push(address(index)) - 1].length + 1;
  return lines;
};

const BODIES = {
  '4 MiB, addresses in one text': { data: { list: addresses(4 * MIB).join('\n') } },
  '4 MiB, addresses in a list': { data: { list: addresses(4 * MIB) } },
  '4 MiB, one line': { data: { key: 'x'.repeat(4 * MIB) } },
  '31 KiB, addresses in one text': { data: { list: addresses(31 * 1024).join('\n') } },
  '31 KiB, one line': { data: { key: 'abcdefgh01234567'.repeat(31 * 64) } },
  '31 KiB, escapes': { data: { key: '%25&amp;\\\\u0041'.repeat(1600) } },
  '450 secrets that begin alike': {
    data: Object.fromEntries(addresses(450 * 9).map((text, index) => [`key-number-${index}`, `10.0.0.1/${text}/tail`])),
  },
};

export function run(args) {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '21' }, json: { type: 'boolean', default: false } },
  });
  const rounds = positive('rounds', values.rounds);
  const results = Object.entries(BODIES).map(([name, data]) => {
    const body = JSON.stringify(data);
    const text = `cannot store ${body.slice(-7 * 1024)}`;
    const samples = Array.from({ length: rounds }, () => {
      const start = process.cpuUsage();
      const secrets = secretsSent({ headers: { 'x-vault-token': 'hvs.CAESIbenchbenchbench' }, secrets: [], body });
      for (let message = 0; message < 5; message += 1) redact(text, secrets, 'write secret/data/bench');
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    });
    return { name, medianMs: [...samples].sort((a, b) => a - b)[rounds >> 1], largestMs: Math.max(...samples) };
  });
  if (values.json) return console.log(JSON.stringify({ node: process.version, rounds, results }));
  console.log(`Node ${process.version}, ${cpus().length} cores, ${rounds} rounds, five messages of 7 KiB each\n`);
  for (const { name, medianMs, largestMs } of results) {
    console.log(
      `${name.padEnd(32)} ${medianMs.toFixed(1).padStart(7)} ms  largest ${largestMs.toFixed(1).padStart(7)} ms`,
    );
  }
  console.log(`\nTarget: less than ${TARGET_MS} ms`);
}
