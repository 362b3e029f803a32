import { Logger } from '@nestjs/common';
import type { Observer, Operator, Subscriber, Subscription, TeardownLogic } from 'rxjs';
import { Observable } from 'rxjs';
import { failureKind } from '../errors/redact.js';

const logger = new Logger('VaultModule');

/**
 * RxJS throws what a listener throws at the process, where it cannot be caught: a mistake in a listener would end
 * the application. Here it is logged, after operators too.
 * @internal
 */
export class GuardedObservable<T> extends Observable<T> {
  readonly #name: string;

  /** @param name what it is called when a listener fails */
  constructor(name: string, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.#name = name;
  }

  // Called by every operator of RxJS 7 to make the next observable of the chain.
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>(this.#name);
    Object.assign(lifted, { source: this, operator });
    return lifted;
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // RxJS's own subscribers, which operators hand up the chain, take care of themselves.
    if (typeof observerOrNext === 'object' && observerOrNext && 'closed' in observerOrNext)
      return super.subscribe(observerOrNext);
    const observer =
      typeof observerOrNext === 'object' && observerOrNext
        ? observerOrNext
        : { next: observerOrNext ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
    return super.subscribe({
      next: (value) => guard(this.#name, () => observer.next?.(value)),
      error: (failure: unknown) =>
        guard(this.#name, () => (observer.error ? observer.error(failure) : report(this.#name, failure))),
      complete: () => guard(this.#name, () => observer.complete?.()),
    });
  }
}

function guard(name: string, call: () => void): void {
  try {
    call();
  } catch (failure) {
    report(name, failure);
  }
}

/** The message is the listener's own and may hold anything, so only the kind of error is told. */
function report(name: string, failure: unknown): void {
  logger.error(`A listener of ${name} failed (${failureKind(failure)}).`);
}
