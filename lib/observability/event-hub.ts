import { Logger } from '@nestjs/common';
import type { Observer, Operator, Subscription } from 'rxjs';
import { Observable, Subject } from 'rxjs';
import { redact } from '../errors/redact.js';
import type { VaultEvent } from './vault-event.js';

const logger = new Logger('VaultModule');

/**
 * Where events go in, and everybody who listens takes them out. Nothing is kept for those who come later.
 * @internal
 */
export class EventHub {
  readonly #subject = new Subject<VaultEvent>();
  readonly events$: Observable<VaultEvent> = new GuardedObservable((subscriber) => this.#subject.subscribe(subscriber));

  /** Never throws. */
  emit(event: VaultEvent): void {
    this.#subject.next(event);
  }

  /** Completes the stream; later events go nowhere. */
  complete(): void {
    this.#subject.complete();
  }
}

/**
 * RxJS throws what a listener throws at the process, from where nobody can catch it: a mistake in a listener would end
 * the application. Here it is logged, behind operators too.
 */
class GuardedObservable<T> extends Observable<T> {
  // Called by every operator of RxJS 7 to make the next observable of the chain.
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new GuardedObservable<R>();
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
      next: (value) => guard(() => observer.next?.(value)),
      error: (failure: unknown) => guard(() => (observer.error ? observer.error(failure) : report(failure))),
      complete: () => guard(() => observer.complete?.()),
    });
  }
}

function guard(call: () => void): void {
  try {
    call();
  } catch (failure) {
    report(failure);
  }
}

/** The message is the listener's own and may hold anything, so only the kind of error is told. */
function report(failure: unknown): void {
  logger.error(`A listener of events$ failed (${failure instanceof Error ? redact(failure.name) : typeof failure}).`);
}
