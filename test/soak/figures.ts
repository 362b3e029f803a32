/** Prints what a soak test measured, on a line of its own. */
export function figures(title: string, values: Readonly<Record<string, unknown>>): void {
  const cells = Object.entries(values).map(([name, value]) => `${name} ${String(value)}`);
  process.stdout.write(`  ${title}: ${cells.join(', ')}\n`);
}

/** Smallest, median and largest, in whole milliseconds. */
export function spread(milliseconds: readonly number[]): string {
  const sorted = [...milliseconds].sort((a, b) => a - b).map(Math.round);
  return `${sorted[0]} / ${sorted[Math.floor(sorted.length / 2)]} / ${sorted.at(-1)} ms`;
}
