/** A small seeded generator (mulberry32): the same seed and index draw the same graph on every machine. */
export function randomFrom(seed, index = 0) {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35)) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below) => Math.floor(next() * below);
  return {
    int,
    between: (low, high) => low + int(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (list) => list[int(list.length)],
    /** `count` different items of the list. */
    sample(list, count) {
      const rest = [...list];
      return Array.from({ length: Math.min(count, rest.length) }, () => rest.splice(int(rest.length), 1)[0]);
    },
  };
}

/**
 * Waits as drawn: a negative number is that many microtasks, a positive one milliseconds, zero nothing at all.
 * Microtasks matter: what happens before what during Nest's instantiation is decided by them.
 */
export async function pause(amount) {
  if (amount > 0) await new Promise((resolve) => setTimeout(resolve, amount));
  for (let tick = amount; tick < 0; tick += 1) await Promise.resolve();
}
