import { AsyncLocalStorage } from 'node:async_hooks';
import { VaultAbortedError } from '../errors/index.js';

/** Who has written a variable of `process.env`, in order: the last one shows, a passing one before a lasting one. */
interface Claim {
  /** What was there before. */
  readonly before: string | undefined;
  /** Values of applications that are up. */
  readonly lasting: Map<object, string>;
  /** Values that are there while factories run. */
  readonly passing: Map<object, string>;
}

interface Shared {
  readonly claims: Map<string, Claim>;
  /** Set while factories run, in all that they call. */
  readonly inside: AsyncLocalStorage<true>;
  /** Ends when the factories before have ended. */
  turn: Promise<void>;
}

/** One for the process, which may have this package as ES module and as CommonJS. */
const KEY = Symbol.for('nestjs-vault:process-environment');
const holder = globalThis as { [KEY]?: Shared };
const shared: Shared = (holder[KEY] ??= {
  claims: new Map(),
  inside: new AsyncLocalStorage(),
  turn: Promise.resolve(),
});
const { claims, inside } = shared;

/** Writes a variable. Boots that overlap may want the same one: the one that wrote last has it. @internal */
export function claimVariable(
  owner: object,
  name: string,
  value: string,
  kind: 'lasting' | 'passing' = 'lasting',
): void {
  const claim = claims.get(name) ?? { before: process.env[name], lasting: new Map(), passing: new Map() };
  const owners = claim[kind];
  if (owners.get(owner) === value) return;
  // Removed first: the last one is the one whose value shows.
  owners.delete(owner);
  owners.set(owner, value);
  claims.set(name, claim);
  if (kind === 'passing' || claim.passing.size === 0) process.env[name] = value;
}

/** Gives a variable back to the owner before, unless something else has changed it since. @internal */
export function releaseVariable(owner: object, name: string): void {
  const claim = claims.get(name);
  if (!claim) return;
  const value = claim.passing.get(owner) ?? claim.lasting.get(owner);
  if (!claim.passing.delete(owner) && !claim.lasting.delete(owner)) return;
  const next = [...claim.lasting.values(), ...claim.passing.values()].pop() ?? claim.before;
  if (claim.lasting.size + claim.passing.size === 0) claims.delete(name);
  if (process.env[name] !== value) return;
  if (next === undefined) delete process.env[name];
  else process.env[name] = next;
}

/**
 * A variable as it was before this package wrote to it: a value from Vault is no variable of the application, and would not
 * change when it changes in Vault.
 * @internal
 */
export function ownVariable(name: string): string | undefined {
  const value = process.env[name];
  const claim = claims.get(name);
  const isOurs = claim && [...claim.lasting.values(), ...claim.passing.values()].includes(value ?? '');
  return isOurs ? claim.before : value;
}

/** All of them. @internal */
export function ownEnvironment(): Record<string, string | undefined> {
  const own: Record<string, string | undefined> = { ...process.env };
  for (const name of claims.keys()) own[name] = ownVariable(name);
  return own;
}

/**
 * Runs a function with variables in `process.env`, and takes them away afterwards: at once when it returns, and when its
 * promise has settled if it returns one. A variable that the function has changed itself stays as it is. Calls follow one
 * another in the whole process, so that none sees the variables of another one; one inside of another does not wait.
 *
 * @param signal ends the wait, and what is waited for
 * @throws what the function throws, VaultAbortedError
 * @internal
 */
export async function withVariables<T>(
  variables: ReadonlyMap<string, string>,
  run: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const before = inside.getStore() ? undefined : shared.turn;
  let end!: () => void;
  const own = new Promise<void>((resolve) => (end = resolve));
  if (before) shared.turn = before.then(() => own);
  const owner = {};
  try {
    if (before) await untilAborted(before, signal);
    for (const [name, value] of variables) claimVariable(owner, name, value, 'passing');
    const result = inside.run(true, run);
    // Without "await" for what is there already: the variables are gone before anything else runs.
    return result instanceof Promise ? await untilAborted(result, signal) : result;
  } finally {
    for (const name of variables.keys()) releaseVariable(owner, name);
    end();
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let abort!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new VaultAbortedError('Running the factories of "config.load" was aborted.'));
  });
  aborted.catch(() => undefined);
  work.catch(() => undefined);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
