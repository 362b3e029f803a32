import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { interleave, spread } from './interleave.mjs';
import { positive } from './flags.mjs';

/** At most, in microseconds. */
const TARGET_US = 2;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** CPU time that node-vault adds to one of the module's own calls: the same call with it, and without it. */
export async function measureHop({ rounds = '9', reads = '200000', json }) {
  const { loadNodeVault, NodeVaultBinding } = await loadSource('lib/client/node-vault.ts');
  const response = { status: 200, headers: {}, body: {} };
  const send = async () => response;
  const pipeline = { endpoint: 'http://127.0.0.1:8200', endpoints: [], send };
  const binding = new NodeVaultBinding(await loadNodeVault(), pipeline);
  const request = { method: 'GET', path: 'secret/data/bench', operation: 'read' };
  const tokens = {};
  const variants = {
    'without node-vault': async () => check(await pipeline.send(request, tokens)),
    'with node-vault': async () => check(await binding.request(request, tokens)),
  };
  const check = (received) => {
    if (received !== response) throw new Error('A variant returned something else.');
  };
  const run = { rounds: positive('rounds', rounds), operations: positive('reads', reads), concurrency: 8 };
  const samples = await interleave(variants, run);
  const plain = samples['without node-vault'];
  const hopUs = spread(samples['with node-vault'].map(({ cpuUs }, round) => cpuUs - plain[round].cpuUs));
  if (json) return console.log(JSON.stringify({ bench: 'hop', ...run, target: TARGET_US, hopUs }));
  const [median, min, max] = [hopUs.median, hopUs.min, hopUs.max].map((us) => us.toFixed(2));
  console.log(
    `node-vault adds ${median} µs of CPU to a call (${min} – ${max}). Target: at most ${TARGET_US}, ${hopUs.median <= TARGET_US ? 'met' : 'not met'}.`,
  );
}

/** A file of the source that the package does not export. */
async function loadSource(file) {
  const folder = mkdtempSync(join(root, 'node_modules/.bench-'));
  try {
    const bundle = await rolldown({
      input: join(root, file),
      platform: 'node',
      resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
      external: (specifier) => !specifier.startsWith('.') && !specifier.startsWith('/'),
    });
    await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'entry.mjs' });
    return await import(pathToFileURL(join(folder, 'entry.mjs')).href);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
