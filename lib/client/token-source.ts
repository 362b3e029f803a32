import type { VaultPermissionError } from '../errors/index.js';

/** What a call can spend on getting a token. @internal */
export interface CallBudget {
  /** Milliseconds left of the call's deadline. */
  readonly timeLeftMs: number;
  /** Description of the call. */
  readonly operation: string;
}

/** A token in use by one call. @internal */
export interface TokenHandle {
  /** `undefined` when calls go without one. */
  readonly token: string | undefined;
  /** Ends the use: only then may the token be revoked. `accepted` when the server has accepted it. */
  release(accepted: boolean): void;
}

/**
 * Supplies the token of calls that bring none of their own.
 * @internal
 */
export interface TokenSource {
  /** Synchronous while there is a valid token; otherwise resolves after the login. The caller enforces its deadline. */
  acquire(budget: CallBudget): TokenHandle | Promise<TokenHandle>;
  /**
   * Called once for a call that was denied with a token, when the error leaves open whether token or policy are at fault.
   *
   * @returns another token to repeat the call with; `undefined` when the denial stands
   */
  replaceRejected(
    handle: TokenHandle,
    error: VaultPermissionError,
    budget: CallBudget,
  ): Promise<TokenHandle | undefined>;
}

/** Always the same token, for clients without a session. @internal */
export function fixedToken(token: string | undefined): TokenSource & { acquire(): TokenHandle } {
  const handle = { token, release: () => undefined };
  return { acquire: () => handle, replaceRejected: () => Promise.resolve(undefined) };
}
