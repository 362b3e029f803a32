import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { map } from 'rxjs';
import { EventHub } from '../../lib/observability/event-hub.js';
import type { VaultEvent } from '../../lib/observability/vault-event.js';

Logger.overrideLogger(false);
const event: VaultEvent = { type: 'session-closed', at: new Date(), reason: undefined };

describe('a listener that throws', () => {
  it('harms neither the others nor the process, behind an operator either', async () => {
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', onUncaught);
    const hub = new EventHub();
    const seen: string[] = [];
    const fail = (): never => {
      throw new TypeError('a mistake in a listener');
    };
    hub.events$.subscribe(fail);
    hub.events$.subscribe({ next: fail });
    hub.events$.pipe(map(({ type }) => type)).subscribe(fail);
    hub.events$.pipe(map(fail)).subscribe(() => undefined);
    hub.events$.pipe(map(({ type }) => type)).subscribe((type) => seen.push(type));
    hub.emit(event);
    hub.emit(event);
    // RxJS reports what it cannot deliver from a timer.
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('uncaughtException', onUncaught);
    expect(uncaught).toEqual([]);
    expect(seen).toEqual(['session-closed', 'session-closed']);
  });
});

it('the stream ends, and takes nothing more', () => {
  const hub = new EventHub();
  const seen: string[] = [];
  hub.events$.subscribe({ next: ({ type }) => seen.push(type), complete: () => seen.push('end') });
  hub.complete();
  hub.emit(event);
  expect(seen).toEqual(['end']);
});
