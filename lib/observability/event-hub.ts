import type { Observable } from 'rxjs';
import { Subject } from 'rxjs';
import type { VaultErrorCode } from '../errors/index.js';
import { isVaultError } from '../errors/index.js';
import { failureKind } from '../errors/redact.js';
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

/**
 * What an event may say of an error. The message of an error that is not this module's may hold anything, so only its kind
 * is told.
 * @internal
 */
export function describeError(error: unknown): { readonly code: VaultErrorCode | undefined; readonly reason: string } {
  if (isVaultError(error)) return { code: error.code, reason: error.message };
  return { code: undefined, reason: `unexpected ${failureKind(error)}` };
}
