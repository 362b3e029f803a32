import type { VaultClient } from '../../client/vault-client.js';
import { VaultPermissionError } from '../../errors/index.js';
import type { Clock, Moment } from './clock.js';
import { momentOf, since } from './clock.js';
import type { HeldToken } from './held-token.js';

/** How long a token that was found alive is not asked about again: a policy that denies a busy path costs no more. */
const TRUST_MS = 5_000;

/**
 * Whether the server still knows a token: asked once for all calls that were denied together.
 * @internal
 */
export class TokenVerdicts {
  #asking: { readonly token: HeldToken; readonly dead: Promise<boolean> } | undefined;
  #alive: { readonly token: HeldToken; readonly asOf: Moment } | undefined;

  readonly #client: () => VaultClient;
  readonly #clock: Clock;

  constructor(client: () => VaultClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** True only when the server says so: a question it could not answer proves nothing. Never rejects. */
  async isDead(token: HeldToken): Promise<boolean> {
    // The question would use it up further, and such a token is most likely just that: used up.
    if (token.login.numUses) return true;
    if (this.#alive?.token === token && since(this.#alive.asOf, this.#clock) < TRUST_MS) return false;
    if (this.#asking?.token !== token) {
      const dead = this.#ask(token);
      this.#asking = { token, dead };
      void dead.finally(() => {
        if (this.#asking?.dead === dead) this.#asking = undefined;
      });
    }
    return this.#asking.dead;
  }

  async #ask(held: HeldToken): Promise<boolean> {
    const { token, namespace } = held.login;
    try {
      await this.#client().request({
        method: 'GET',
        path: 'auth/token/lookup-self',
        operation: 'find out whether the token of this application is still valid',
        token: token ?? null,
        ...(namespace !== undefined && { namespace }),
      });
    } catch (error) {
      if (!(error instanceof VaultPermissionError)) return false;
      // A policy that forbids the question has been looked up by the token.
      if (!error.policyDenied) return true;
    }
    this.#alive = { token: held, asOf: momentOf(this.#clock) };
    return false;
  }
}
