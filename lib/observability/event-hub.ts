import type { Observable } from 'rxjs';
import { Subject } from 'rxjs';
import { GuardedObservable } from './guarded-observable.js';
import type { VaultEvent } from './vault-event.js';

/**
 * Where events go in, and everybody who listens takes them out. Nothing is kept for those who come later.
 * @internal
 */
export class EventHub {
  readonly #subject = new Subject<VaultEvent>();
  readonly events$: Observable<VaultEvent> = new GuardedObservable('events$', (subscriber) =>
    this.#subject.subscribe(subscriber),
  );

  /** Never throws. */
  emit(event: VaultEvent): void {
    this.#subject.next(event);
  }

  /** Completes the stream; later events go nowhere. */
  complete(): void {
    this.#subject.complete();
  }
}
