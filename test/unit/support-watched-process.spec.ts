import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { freePort } from '../support/fault-server.js';
import { startWatched } from '../support/ldap/watched-process.js';

describe('watched process', () => {
  const run = async (script: string, options: { timeoutMs?: number; port?: number } = {}) => {
    const workDir = await mkdtemp(join(tmpdir(), 'watched-'));
    return {
      workDir,
      outcome: await startWatched(['/bin/sh', '-c', script], {
        workDir,
        ready: /^ready$/m,
        timeoutMs: 20_000,
        ...options,
      }),
    };
  };

  it('is there once it says so, and gone with its files after stop()', async () => {
    const { workDir, outcome } = await run('echo ready >&2; exec sleep 1000');
    if (!('stop' in outcome)) throw new Error(outcome.failed);
    expect(existsSync(workDir)).toBe(true);
    await outcome.stop();
    await outcome.stop();
    expect(existsSync(workDir)).toBe(false);
  });

  it('is there only when its port takes connections, whatever it said before', async () => {
    const port = await freePort();
    const listen = `require('net').createServer().listen(${port}, '127.0.0.1')`;
    const { outcome } = await run(`echo ready >&2; sleep 0.3; exec "${process.execPath}" -e "${listen}"`, { port });
    if (!('stop' in outcome)) throw new Error(outcome.failed);
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    await outcome.stop();
  });

  it.each([
    ['ends', 'echo "port taken" >&2; exit 1', 20_000],
    ['cannot be run', 'echo "port taken" >&2; exec /no/such/program 2>/dev/null', 20_000],
    ['does not become ready in time', 'echo "port taken" >&2; exec sleep 1000', 2_000],
  ])('that %s instead: what it printed, and no files', async (_name, script, timeoutMs) => {
    const { workDir, outcome } = await run(script, { timeoutMs });
    expect(outcome).toEqual({ failed: 'port taken\n' });
    expect(existsSync(workDir)).toBe(false);
  });
});
