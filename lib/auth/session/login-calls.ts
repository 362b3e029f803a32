import { setImmediate as turn } from 'node:timers/promises';

/**
 * What a login has asked of the server. While an answer is under way there may be a token in it, which has to be given
 * back; whatever else a login waits for can be left behind.
 * @internal
 */
export class LoginCalls {
  readonly #underWay = new Set<Promise<unknown>>();

  /** Passes a call through, and knows of it until it has ended. */
  readonly during = async <T>(call: Promise<T>): Promise<T> => {
    this.#underWay.add(call);
    try {
      return await call;
    } finally {
      this.#underWay.delete(call);
    }
  };

  /** Resolves when none is under way, nor follows at once from one that was. Never rejects. */
  async over(): Promise<void> {
    do {
      await Promise.allSettled(this.#underWay);
      await turn();
    } while (this.#underWay.size > 0);
  }
}
