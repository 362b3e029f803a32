// Boot-order stress: boots random module graphs and counts the consumers that did not see their configuration when they
// were constructed. Run inside one of the workspaces beside this file:
//   node --expose-gc ../stress.mjs --mode vault|plain --format esm|cjs [--graphs 300] [--seed 1] [--only 17] [--shrink]
// The last line of stdout is the result as JSON.
import { parseArgs } from 'node:util';
import { buildGraph, Recorder } from './stress/build.mjs';
import { cuts, drawGraph } from './stress/graph.mjs';
import { loadKit, SECRET_STRINGS } from './stress/kit.mjs';
import { randomFrom } from './stress/random.mjs';
import { runReboots } from './stress/reboots.mjs';
import { EXPECTED, SECOND_SECRETS } from './stress/values.mjs';

const { values: flags } = parseArgs({
  options: {
    mode: { type: 'string', default: 'vault' },
    format: { type: 'string', default: 'esm' },
    graphs: { type: 'string', default: '300' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
    shrink: { type: 'boolean', default: false },
  },
});
const mode = flags.mode;
const seed = Number(flags.seed);
const errors = [];
const describe = (error) =>
  String(error?.stack ?? error)
    .split('\n')
    .slice(0, 8)
    .join('\n');
process.on('unhandledRejection', (reason) => errors.push(`unhandled rejection: ${describe(reason)}`));

const kit = await loadKit({ workspace: process.cwd(), format: flags.format, mode });

async function constructLate(app, late) {
  for (const { resolve, load } of late) {
    if (load) {
      await app.get(kit.LazyModuleLoader, { strict: false }).load(() => load);
      continue;
    }
    for (let request = 0; request < 2; request += 1) {
      await app.resolve(resolve, kit.ContextIdFactory.create(), { strict: false });
    }
  }
}

/** @returns what the consumers of one graph saw, after its application has been closed again. */
async function run(graph) {
  const recorder = new Recorder({ ...EXPECTED, ...SECOND_SECRETS });
  const problem = (what) => ({ recorder, error: `graph ${graph.index}: ${what}` });
  try {
    const { Root, late, logins } = buildGraph(kit, graph, recorder);
    const app = await kit.boot(Root, graph.idAlgorithm);
    await constructLate(app, late);
    await app.close();
    if (logins.seen !== logins.expected) return problem(`${logins.seen} logins instead of ${logins.expected}`);
  } catch (error) {
    return problem(describe(error));
  }
  const silent = recorder.silent;
  return silent.length > 0 ? problem(`never constructed: ${silent.join(', ')}`) : { recorder, error: null };
}

/** Cuts a failing graph down for as long as it keeps failing. */
async function shrink(graph) {
  const fails = async (candidate) => {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { recorder, error } = await run(candidate);
      if (error || (mode === 'vault' && recorder.misses.length > 0)) return true;
    }
    return false;
  };
  for (const candidate of cuts(graph)) if (await fails(candidate)) return shrink(candidate);
  return graph;
}

const indices = flags.only === undefined ? [...Array(Number(flags.graphs)).keys()] : [Number(flags.only)];
const random = randomFrom(seed, -2);
const missed = [];
let consumers = 0;
while (indices.length > 0) {
  // Several applications at once: they must not get into each other's way either.
  const batch = indices.splice(0, random.between(1, 5)).map((index) => drawGraph(seed, index, mode));
  const results = await Promise.all(batch.map(run));
  for (const [at, { recorder, error }] of results.entries()) {
    consumers += recorder.size;
    if (error) errors.push(error);
    missed.push(...recorder.misses.map((miss) => ({ graph: batch[at].index, ...miss })));
    const failed = error || recorder.misses.length > 0;
    if (failed && flags.shrink) {
      console.error(JSON.stringify(await shrink(batch[at]), null, 1));
      flags.shrink = false;
    }
  }
}

const reboots = mode === 'vault' && flags.only === undefined ? await runReboots(kit, random) : { cases: 0, errors: [] };
errors.push(...reboots.errors.map(({ name, error }) => `booted again ${name}: ${describe(error)}`));

if (SECRET_STRINGS.some((secret) => JSON.stringify(process.env).includes(secret))) {
  errors.push('A secret was copied into process.env');
}

const { nest, config } = kit.versions;
const counts = {
  graphs: Number(flags.only === undefined ? flags.graphs : 1),
  consumers,
  misses: missed.length,
  reboots: reboots.cases,
};
const examples = { missed: missed.slice(0, 5), errors: errors.slice(0, 5), failures: errors.length };
console.log(JSON.stringify({ nest, config, format: flags.format, mode, ...counts, seed, ...examples }));
