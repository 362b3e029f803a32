import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BootOutcome } from '../../lib/boot/boot-registry.js';
import { BootRegistry } from '../../lib/boot/boot-registry.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function registry() {
  const closed: number[] = [];
  const made: number[] = [];
  const boots = new BootRegistry(() => {
    const id = made.push(made.length);
    const outcome = { plan: { namespaces: [] }, factoryValues: [] };
    return Promise.resolve({
      ...outcome,
      close: () => Promise.resolve(void closed.push(id)),
    } as unknown as BootOutcome);
  });
  const read = () =>
    boots.read((load) => ({ module: class Core {}, providers: [{ provide: 'load', useValue: load }] }));
  return { read, made, closed };
}

describe('BootRegistry', () => {
  it('closes a load that no application has taken after a minute', async () => {
    const { read, made, closed } = registry();
    await read();
    await jest.advanceTimersByTimeAsync(59_999);
    expect(closed).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(closed).toEqual([1]);
    expect(made).toHaveLength(1);
  });

  it('opens a load again that was closed while its scan went on, and gives the same module', async () => {
    const { read, made, closed } = registry();
    const first = read();
    const core = await first;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(await first).toBe(core);
    expect([made.length, closed]).toEqual([2, [1]]);
  });

  it('gives the second read of a scan the load of the first one, and the next scan another', async () => {
    const { read, made } = registry();
    const core = await read();
    expect(await read()).toBe(core);
    expect(await read()).not.toBe(core);
    expect(made).toHaveLength(2);
  });

  it('expects the second read of a scan for ten seconds', async () => {
    const { read } = registry();
    const core = await read();
    await jest.advanceTimersByTimeAsync(10_001);
    expect(await read()).not.toBe(core);
  });
});
