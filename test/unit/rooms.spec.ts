import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const LIB = fileURLToPath(new URL('../../lib/', import.meta.url));
/** From left to right: a room imports only rooms to its left. */
const ROOMS = ['options', 'client', 'auth', 'session', 'engines', 'sys', 'config', 'boot', 'nest'];
/** What every room may use; they know none of the others. */
const FREE = ['errors', 'lifetime', 'observability'];
/** Entry points of their own, which stand on all of it. */
const ENTRIES = ['cli', 'register', 'server', 'testing'];

interface Import {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

async function imports(): Promise<Import[]> {
  const files = await readdir(LIB, { recursive: true });
  const found = await Promise.all(
    files
      .filter((file) => file.endsWith('.ts') && file.includes('/'))
      .map(async (file): Promise<Import[]> => {
        const text = await readFile(join(LIB, file), 'utf8');
        return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, target = '']) => {
          const path = join(file, '..', target).split('/');
          return { file, from: file.split('/')[0] as string, to: path.length > 1 ? (path[0] as string) : 'the front' };
        });
      }),
  );
  return found.flat().filter(({ from, to }) => from !== to);
}

describe('the rooms of lib', () => {
  it('import only to the left', async () => {
    const all = await imports();
    expect(all.length).toBeGreaterThan(100);
    const wrong = all.filter(({ from, to, file }) => {
      if (ENTRIES.includes(from)) return false;
      if (FREE.includes(from)) return !FREE.includes(to);
      if (FREE.includes(to)) return false;
      // Types of the public options, and the service that an application is given.
      if (to === 'the front') return !['boot', 'nest'].includes(from) && !file.endsWith('.options.ts');
      return !ROOMS.includes(to) || ROOMS.indexOf(to) > ROOMS.indexOf(from);
    });
    expect(wrong).toEqual([]);
  });

  it('are all known here', async () => {
    const folders = (await readdir(LIB, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual([...ROOMS, ...FREE, ...ENTRIES].sort());
  });
});
