/** A length of time in the largest unit that leaves a number above 1. @internal */
export function formatDuration(ms: number): string {
  const units: readonly [string, number][] = [
    ['days', 86_400_000],
    ['hours', 3_600_000],
    ['minutes', 60_000],
    ['seconds', 1_000],
  ];
  const [name, size] = units.find(([, length]) => ms >= 2 * length) ?? ['ms', 1];
  return `${Math.floor(ms / size)} ${name}`;
}
