import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './fault-server.js';
import { directoryEntries, inventDirectory } from './ldap/directory.js';
import type { LdapDirectory, LdapUserOptions } from './ldap/directory.js';
import { findSlapd, prepareSlapd } from './ldap/slapd.js';
import { startWatched } from './ldap/watched-process.js';

export { findSlapd } from './ldap/slapd.js';

export type LdapImplementation = 'slapd' | 'library';

export interface LdapServerOptions {
  /** Default: `slapd` where it is installed, else `library` (ldapjs in a process of its own). */
  readonly implementation?: LdapImplementation;
  /**
   * Default: `alice` in developers and operators, `bob` in operators, `carol` in no group, `o'brien` in developers with a
   * password full of characters that need care. Passwords are random.
   */
  readonly users?: LdapUserOptions;
}

/** A running LDAP server with the {@link LdapDirectory} in it. */
export interface LdapServer extends LdapDirectory {
  readonly implementation: LdapImplementation;
  /** `ldap://127.0.0.1:<port>` */
  readonly url: string;
  /** Ends the process and removes its files. May be called twice. */
  stop(): Promise<void>;
}

const DEFAULT_USERS: LdapUserOptions = {
  alice: { groups: ['developers', 'operators'] },
  bob: { groups: ['operators'] },
  carol: {},
  "o'brien": { password: `p ä"ß'\\/%2F&=?#{{x}}`, groups: ['developers'] },
};

const START_TIMEOUT_MS = 20_000;
const PORT_TRIES = 3;

/**
 * Starts a real LDAP server on a free loopback port, for auth methods that need one.
 *
 * The server allows simple bind for everybody in it, search only for the service account. It ends with this process,
 * however that ends, and its files with it.
 * @throws Error with the output of the server when it does not start.
 */
export async function startLdapServer(options: LdapServerOptions = {}): Promise<LdapServer> {
  const slapd = options.implementation === 'library' ? undefined : findSlapd();
  if (options.implementation === 'slapd' && slapd === undefined) {
    throw new Error(
      'slapd is not installed. Install the Debian package of that name, or start the "library" implementation.',
    );
  }
  const directory = inventDirectory(options.users ?? DEFAULT_USERS);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `ldap://127.0.0.1:${port}`;
    const workDir = await mkdtemp(join(tmpdir(), 'ldap-test-server-'));
    const preparing = slapd ? prepareSlapd(slapd, directory, workDir, url) : prepareLibrary(directory, workDir, url);
    const command = await preparing.catch(async (error: unknown) => {
      await rm(workDir, { recursive: true, force: true });
      throw error;
    });
    const server = await startWatched(command, { workDir, ready: / starting$/m, port, timeoutMs: START_TIMEOUT_MS });
    if ('stop' in server) return { ...directory, implementation: slapd ? 'slapd' : 'library', url, stop: server.stop };
    if (attempt === PORT_TRIES || !/address already in use/i.test(server.failed)) {
      throw new Error(`The LDAP server did not start: ${command.join(' ')}\n${server.failed}`);
    }
  }
}

async function prepareLibrary(directory: LdapDirectory, workDir: string, url: string): Promise<string[]> {
  const program = fileURLToPath(new URL('./ldap/library-server.mjs', import.meta.url));
  const file = join(workDir, 'directory.json');
  await writeFile(file, JSON.stringify({ ...directory, entries: directoryEntries(directory) }), { mode: 0o600 });
  return [process.execPath, program, new URL(url).port, file];
}
