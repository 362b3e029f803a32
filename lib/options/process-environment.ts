import { AsyncLocalStorage } from 'node:async_hooks';
import { VaultAbortedError } from '../errors/index.js';
import { ABORTED, race } from '../lifetime/race.js';

/** The owners of a variable of `process.env`. The latest temporary value is visible, otherwise the latest permanent one. */
interface Claim {
  /** The value before the first claim. */
  readonly original: string | undefined;
  /** Values by owner, in the order they were written, for as long as an application runs. */
  readonly permanent: Map<object, string>;
  /** The same, while configuration factories run. */
  readonly temporary: Map<object, string>;
}

interface SharedState {
  readonly claims: Map<string, Claim>;
  /** Set in the async context of running factories. */
  readonly insideFactories: AsyncLocalStorage<true>;
  /** Resolves when the factories queued so far have finished. */
  queue: Promise<void>;
}

/** Shared by the ES module and the CommonJS copy of this package in one process. */
const KEY = Symbol.for('nestjs-vault:process-environment');
const globalState = globalThis as { [KEY]?: SharedState };
const shared: SharedState = (globalState[KEY] ??= {
  claims: new Map(),
  insideFactories: new AsyncLocalStorage(),
  queue: Promise.resolve(),
});
const { claims, insideFactories } = shared;

/** Writes a variable. If overlapping boots claim the same one, the latest value is visible. @internal */
export function claimVariable(
  owner: object,
  name: string,
  value: string,
  kind: 'permanent' | 'temporary' = 'permanent',
): void {
  const claim = claims.get(name) ?? { original: process.env[name], permanent: new Map(), temporary: new Map() };
  const owners = claim[kind];
  if (owners.get(owner) === value) return;
  // Deleted first so that the entry moves to the end of the map.
  owners.delete(owner);
  owners.set(owner, value);
  claims.set(name, claim);
  if (kind === 'temporary' || claim.temporary.size === 0) process.env[name] = value;
}

/** Restores the value of the previous owner, unless other code has changed the variable since. @internal */
export function releaseVariable(owner: object, name: string): void {
  const claim = claims.get(name);
  if (!claim) return;
  const value = claim.temporary.get(owner) ?? claim.permanent.get(owner);
  if (!claim.temporary.delete(owner) && !claim.permanent.delete(owner)) return;
  const next = [...claim.permanent.values(), ...claim.temporary.values()].pop() ?? claim.original;
  if (claim.permanent.size + claim.temporary.size === 0) claims.delete(name);
  if (process.env[name] !== value) return;
  if (next === undefined) delete process.env[name];
  else process.env[name] = next;
}

/**
 * The value of a variable without what this package has written to it. A value exported from Vault is not one that the
 * environment sets: it would override later values from Vault.
 * @internal
 */
export function originalVariable(name: string): string | undefined {
  const value = process.env[name];
  const claim = claims.get(name);
  const isClaimed = claim && [...claim.permanent.values(), ...claim.temporary.values()].includes(value ?? '');
  return isClaimed ? claim.original : value;
}

/** `process.env` without what this package has written to it. @internal */
export function originalEnvironment(): Record<string, string | undefined> {
  const environment: Record<string, string | undefined> = { ...process.env };
  for (const name of claims.keys()) environment[name] = originalVariable(name);
  return environment;
}

/**
 * Runs a function with variables in `process.env` and removes them afterwards: synchronously if the function returns a
 * plain value, otherwise when its promise settles. A variable that the function itself has changed is left alone. Calls
 * run one after another within the process, so that none sees the variables of another; a nested call does not wait.
 *
 * @param signal aborts the wait for earlier calls and for the function
 * @throws VaultAbortedError when the signal aborts, and what the function throws
 * @internal
 */
export async function withVariables<T>(
  variables: ReadonlyMap<string, string>,
  run: () => T | Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const earlier = insideFactories.getStore() ? undefined : shared.queue;
  let finish!: () => void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  if (earlier) shared.queue = earlier.then(() => finished);
  const owner = {};
  try {
    if (earlier) await untilAborted(earlier, signal);
    for (const [name, value] of variables) claimVariable(owner, name, value, 'temporary');
    const result = insideFactories.run(true, run);
    // A plain value is not awaited, so that the variables are removed before any other code runs.
    return result instanceof Promise ? await untilAborted(result, signal) : result;
  } finally {
    for (const name of variables.keys()) releaseVariable(owner, name);
    finish();
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const result = await race(work, { signal });
  if (result === ABORTED) throw new VaultAbortedError('Running the factories of "config.load" was aborted.');
  return result as T;
}
