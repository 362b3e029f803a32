/**
 * A promise that starts its work when it is first consumed, and asks again at every consumption.
 *
 * Nest's scanner awaits promises in `imports` before it creates any provider, which is the moment wanted: merely
 * importing the file that declares the module must start nothing. As nothing runs until somebody listens, there is
 * never a rejection that nobody handles.
 * @internal
 */
export class LazyPromise<T> extends Promise<T> {
  readonly #work: () => Promise<T>;

  constructor(work: () => Promise<T>) {
    super(() => undefined);
    this.#work = work;
  }

  // Promises derived from this one are ordinary ones.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#work().then(onFulfilled, onRejected);
  }
}
