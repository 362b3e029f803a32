/**
 * Runs variants in rounds, in a new random order each time, so that a drifting machine touches all of them alike.
 * Client CPU is this process's, so a variant runs alone while it is measured.
 *
 * @param variants name → async function that does one operation
 * @returns name → list of { cpuUs, perSecond }, one per round
 */
export async function interleave(variants, { rounds, operations, concurrency, onRound }) {
  const samples = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (const name of Object.keys(variants)) await repeat(variants[name], operations, concurrency);
  for (let round = 1; round <= rounds; round++) {
    for (const name of shuffled(Object.keys(variants))) {
      globalThis.gc?.();
      const cpu = process.cpuUsage();
      const start = performance.now();
      await repeat(variants[name], operations, concurrency);
      const elapsedMs = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      samples[name].push({ cpuUs: (user + system) / operations, perSecond: (operations / elapsedMs) * 1000 });
    }
    onRound?.(round);
  }
  return samples;
}

/** Median, smallest and largest. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)], min: sorted[0], max: sorted.at(-1) };
}

async function repeat(operation, times, concurrency) {
  let left = times;
  const worker = async () => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

/** In a random order. */
export function shuffled(list) {
  return list
    .map((value) => ({ value, key: Math.random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}
