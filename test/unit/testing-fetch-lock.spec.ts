import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withFetchLock } from '../../lib/server/fetch-wheel.js';

let directory: string;
let lock: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-spec-'));
  lock = join(directory, 'lock');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('withFetchLock', () => {
  it('admits one holder at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async (): Promise<number> => {
      most = Math.max(most, (inside += 1));
      await new Promise(setImmediate);
      return (inside -= 1);
    };
    await Promise.all([1, 2, 3].map(() => withFetchLock(lock, undefined, work)));
    expect(most).toBe(1);
    expect(existsSync(lock)).toBe(false);
  });

  it('releases the lock after work that failed', async () => {
    await expect(withFetchLock(lock, undefined, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFetchLock(lock, undefined, () => Promise.resolve('yes'))).toBe('yes');
  });

  it('takes over the lock of a dead holder', async () => {
    await mkdir(lock);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    expect(await withFetchLock(lock, undefined, () => Promise.resolve('mine'))).toBe('mine');
  });

  it('stops waiting on abort and leaves the lock to its holder', async () => {
    await mkdir(lock);
    const controller = new AbortController();
    const waiting = withFetchLock(lock, controller.signal, () => Promise.resolve('never'));
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    expect(existsSync(lock)).toBe(true);
  });
});
