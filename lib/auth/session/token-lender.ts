import type { CallBudget, TokenHandle, TokenSource } from '../../client/token-source.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { VaultPermissionError } from '../../errors/index.js';
import { isVaultError, VaultClosedError } from '../../errors/index.js';
import type { Clock } from './clock.js';
import { momentOf, since } from './clock.js';
import type { HeldToken } from './held-token.js';
import type { LoginFlight } from './login-flight.js';
import type { TokenUpkeep } from './token-upkeep.js';
import { TokenVerdicts } from './token-verdicts.js';

/** What the lender works with. @internal */
export interface LenderParts {
  readonly client: () => VaultClient;
  readonly token: () => HeldToken | undefined;
  readonly closed: () => boolean;
  readonly flight: LoginFlight;
  readonly upkeep: TokenUpkeep;
  readonly clock: Clock;
}

/** Lends the session's token to calls, and finds out what a denial means. @internal */
export class TokenLender implements TokenSource {
  readonly #parts: LenderParts;
  readonly #verdicts: TokenVerdicts;

  constructor(parts: LenderParts) {
    this.#parts = parts;
    this.#verdicts = new TokenVerdicts(parts.client, parts.clock);
  }

  acquire(budget: CallBudget): TokenHandle | Promise<TokenHandle> {
    const { closed, token } = this.#parts;
    if (closed()) throw closedTo(budget.operation);
    const held = token();
    return held?.usable ? this.#lend(held) : this.#afterLogin(budget);
  }

  async replaceRejected(
    refused: TokenHandle,
    _denial: VaultPermissionError,
    budget: CallBudget,
  ): Promise<TokenHandle | undefined> {
    const { closed, flight, token, upkeep } = this.#parts;
    const { held } = refused as Loan;
    const current = token();
    // Not the token of another session, and not one somebody else adds on the way.
    if (!held || held.login.token === undefined) return undefined;
    if (held === current && held.usable) {
      if (!(await this.#verdicts.isDead(held)) || closed()) return undefined;
      if (held === token())
        upkeep.tokenDied(held, 'The server does not know the token any more: it was revoked, or its storage restored.');
    }
    const other = token();
    if (other?.usable) return this.#lend(other);
    // A server that issues tokens and refuses them is left alone for a while.
    if (flight.closedForMs > 0 && !flight.current) return undefined;
    return this.#afterLogin(budget);
  }

  /** Keeps the current token from being revoked after its replacement. @returns ends that */
  hold(): () => void {
    return this.#parts.token()?.hold() ?? (() => undefined);
  }

  #lend(held: HeldToken): TokenHandle {
    const loan = new Loan(held, this.#parts.flight);
    if (held.nearlyUsedUp) this.#parts.upkeep.replaceSoon();
    return loan;
  }

  /** Logins that fail for reasons that may pass are waited out, as long as the caller has time. */
  async #afterLogin({ timeLeftMs, operation }: CallBudget): Promise<TokenHandle> {
    const { clock, closed, flight, token } = this.#parts;
    const start = momentOf(clock);
    const leftMs = (): number => timeLeftMs - since(start, clock);
    for (;;) {
      try {
        await flight.soon(leftMs());
        break;
      } catch (error) {
        const passing = isVaultError(error) && error.retryable && flight.closedForMs < leftMs();
        if (!passing || closed()) throw error;
      }
    }
    const held = token();
    if (!held) throw closedTo(operation);
    return this.#lend(held);
  }
}

/** A token in the hands of one call. */
class Loan implements TokenHandle {
  readonly held: HeldToken;
  readonly #flight: LoginFlight;
  readonly #end: () => void;

  constructor(held: HeldToken, flight: LoginFlight) {
    this.held = held;
    this.#flight = flight;
    this.#end = held.lend();
  }

  get token(): string | undefined {
    return this.held.login.token;
  }

  release(accepted: boolean): void {
    this.#end();
    if (!accepted || this.held.proven) return;
    this.held.proven = true;
    this.#flight.worked();
  }
}

function closedTo(operation: string): VaultClosedError {
  return new VaultClosedError(`Cannot ${operation}: the Vault session of this application is closed.`, { operation });
}
