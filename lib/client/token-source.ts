import type { VaultPermissionError } from '../errors/index.js';

/** What a call that waits for a token brings along. @internal */
export interface Patience {
  /** Milliseconds left of the call's own deadline. */
  readonly timeLeftMs: number;
  /** The call in words. */
  readonly operation: string;
}

/** A token lent to one call. @internal */
export interface LentToken {
  /** `undefined` when calls go without one. */
  readonly token: string | undefined;
  /** The call has ended: the token may be let go. `worked` when the server took it. */
  done(worked: boolean): void;
}

/**
 * Whose token calls carry that bring none of their own.
 * @internal
 */
export interface TokenSource {
  /** At once where there is a valid token; else after the login. The caller gives up by itself when its time is over. */
  borrow(patience: Patience): LentToken | Promise<LentToken>;
  /**
   * Asked once for a call that was denied with a token, in words that leave open whether token or policy are at fault.
   *
   * @returns another token to repeat the call with; `undefined` when the denial stands
   */
  insteadOf(refused: LentToken, denial: VaultPermissionError, patience: Patience): Promise<LentToken | undefined>;
}

/** Always the same token, for clients without a session. @internal */
export function fixedToken(token: string | undefined): TokenSource & { borrow(): LentToken } {
  const lent = { token, done: () => undefined };
  return { borrow: () => lent, insteadOf: () => Promise.resolve(undefined) };
}
