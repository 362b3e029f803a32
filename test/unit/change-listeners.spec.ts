import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import { Subject } from 'rxjs';
import { listenToChanges } from '../../lib/nest/change-listeners.js';
import type { ConfigurationStore } from '../../lib/config/configuration-store.js';
import type { VaultConfigChange } from '../../lib/index.js';
import { OnVaultChange } from '../../lib/index.js';

const change: VaultConfigChange = { keys: ['KEY', 'evil\u001b[2J\u009b\u202e'], secrets: [], at: new Date() };
const hang = () => new Promise<never>(() => undefined);
let told: string[] = [];

class Listener {
  constructor(
    readonly name: string,
    readonly work: () => unknown = () => undefined,
  ) {}
  @OnVaultChange()
  onChange(): unknown {
    told.push(this.name);
    return this.work();
  }
}

function listen(...listeners: Listener[]): Subject<VaultConfigChange> {
  const wrappers = listeners.map((instance) => ({
    instance,
    isNotMetatype: true,
    isDependencyTreeStatic: () => true,
    host: undefined,
  }));
  const discovery = { getProviders: () => wrappers, getControllers: () => [] } as unknown as DiscoveryService;
  const changes$ = new Subject<VaultConfigChange>();
  listenToChanges(discovery, { changes$ } as unknown as ConfigurationStore, undefined);
  return changes$;
}

describe('methods with @OnVaultChange', () => {
  let warn: jest.SpiedFunction<Logger['warn']>;
  let error: jest.SpiedFunction<Logger['error']>;
  beforeEach(() => {
    told = [];
    jest.useFakeTimers();
    warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    error = jest.spyOn(Logger.prototype, 'error').mockReturnValue();
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('that do not return are reported once each, and the next one is called', async () => {
    const changes = listen(new Listener('first'), new Listener('hangs', hang), new Listener('last'));
    changes.next(change);
    expect(told).toEqual(['first', 'hangs']);
    await jest.advanceTimersByTimeAsync(30_000);
    expect(told).toEqual(['first', 'hangs', 'last']);
    expect(warn.mock.calls).toHaveLength(1);
    expect(warn.mock.calls.flat().join()).toMatch(/Listener\.onChange.*KEY/);
    // A name of a secret's key never reaches a terminal as it is.
    expect(warn.mock.calls.flat().join()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('that fail, at once or later, are logged and stop nothing', async () => {
    const changes = listen(
      new Listener('throws', () => {
        throw new TypeError('s3cret');
      }),
      new Listener('rejects', () => Promise.reject(new RangeError('s3cret'))),
      new Listener('last'),
    );
    changes.next(change);
    await jest.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['throws', 'rejects', 'last']);
    const lines = error.mock.calls.flat().join('\n');
    expect([lines.includes('TypeError'), lines.includes('RangeError'), lines.includes('s3cret')]).toEqual([true, true, false]); // prettier-ignore
  });

  it('are not called any more once the application is closed, and keep no timer', async () => {
    const changes = listen(new Listener('hangs', hang), new Listener('last'));
    changes.next(change);
    changes.next(change);
    changes.complete();
    await jest.advanceTimersByTimeAsync(120_000);
    expect(told).toEqual(['hangs']);
    expect(warn).not.toHaveBeenCalled();
  });
});
