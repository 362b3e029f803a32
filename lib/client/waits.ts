/**
 * The waits of calls that are not on the wire: for their turn, for another try, for a server to come back.
 * @internal
 */
export class Waits {
  readonly #ends = new Set<() => void>();
  #over = false;

  /**
   * Resolves, and never rejects, when the time is over, the news are there, the signal fires or `endAll` is called:
   * whoever waited looks at the world again. The news must not reject.
   */
  wait(ms: number, signal: AbortSignal | undefined, news?: Promise<unknown>): Promise<void> {
    if (ms <= 0 || this.#over || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        this.#ends.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
      this.#ends.add(end);
      void news?.then(end);
    });
  }

  /** True after `endAll`. */
  get over(): boolean {
    return this.#over;
  }

  /** Ends every wait at once, and those to come. */
  endAll(): void {
    this.#over = true;
    for (const end of this.#ends) end();
  }
}
