import type { ConfigService } from '@nestjs/config';
import type { VaultService } from '../../lib/index.js';

export interface StormOutcome {
  readonly reads: number;
  /** Pairs of which one half was of another version. */
  readonly torn: number;
  readonly written: number;
  /** Versions that readers have seen. */
  readonly seen: number;
  readonly last: string;
}

const READERS = 50;

/**
 * Writes a secret again and again while 50 readers look at a pair that belongs together: in every turn of the event loop,
 * and from inside whoever is told of a change.
 *
 * @param write stores version `round` of the secret: `u7` and `pw-7`
 * @param seconds how long at least
 * @param versions how many of them readers see at least, however long that takes
 * @param everyMs from one version to the next at least; 0 = as fast as the server takes them
 */
export async function runStorm(
  { vault, config, database }: Readers,
  {
    seconds,
    versions,
    everyMs,
    write,
  }: { seconds: number; versions: number; everyMs: number; write: (round: number) => Promise<void> },
): Promise<StormOutcome> {
  let torn = 0;
  let reads = 0;
  let storm = true;
  const seen = new Set<string>();
  const byKey = (key: string): string => String(config.get(`database.${key}`));
  const look = (): void => {
    for (let reader = 0; reader < READERS; reader++) {
      const username = reader % 2 === 0 ? database.username : byKey('username');
      const password = reader % 2 === 0 ? database.password : byKey('password');
      if (username.slice(1) !== password.slice(3)) torn += 1;
      reads += 1;
    }
    seen.add(database.username);
  };
  const turn = (): void => {
    look();
    if (storm) setImmediate(turn);
  };
  const subscriptions = [config.changes$.subscribe(look), vault.changes$.subscribe(look)];
  setImmediate(turn);
  const end = performance.now() + seconds * 1000;
  let written = 0;
  for (let round = 2; performance.now() < end || seen.size < versions; round++) {
    const begun = performance.now();
    await write(round);
    written += 1;
    while (performance.now() - begun < everyMs) await new Promise(setImmediate);
  }
  storm = false;
  for (const subscription of subscriptions) subscription.unsubscribe();
  await vault.refresh();
  return { reads, torn, written, seen: seen.size, last: database.username };
}

interface Readers {
  readonly vault: VaultService;
  readonly config: ConfigService;
  readonly database: { readonly username: string; readonly password: string };
}
