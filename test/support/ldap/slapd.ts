import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { directoryEntries, toLdif } from './directory.js';
import type { LdapDirectory } from './directory.js';

/** Where the parts of an installed OpenLDAP server are. */
export interface SlapdInstallation {
  readonly binary: string;
  readonly schemaDir: string;
  /** Directory of the loadable backends; absent where they are part of the program. */
  readonly moduleDir: string | undefined;
}

/** Looks for `slapd` on PATH and in the system directories, which are often not on the PATH of a user. */
export function findSlapd(): SlapdInstallation | undefined {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const binary = directories.map((directory) => join(directory, 'slapd')).find((path) => existsSync(path));
  const schemaDir = ['/etc/ldap/schema', '/etc/openldap/schema'].find((path) => existsSync(join(path, 'core.schema')));
  if (binary === undefined || schemaDir === undefined) return undefined;
  const moduleDir = ['/usr/lib/ldap', '/usr/lib64/openldap', '/usr/lib/openldap'].find(
    (path) => existsSync(join(path, 'back_mdb.so')) || existsSync(join(path, 'back_mdb.la')),
  );
  return { binary, schemaDir, moduleDir };
}

/**
 * Writes configuration and data of a server of our own into the directory; the one of the system is not touched.
 * @returns the command that runs it in the foreground on the URL
 */
export async function prepareSlapd(
  installation: SlapdInstallation,
  directory: LdapDirectory,
  workDir: string,
  url: string,
): Promise<string[]> {
  const { binary, schemaDir, moduleDir } = installation;
  const [config, ldif, data] = ['slapd.conf', 'directory.ldif', 'data'].map((name) => join(workDir, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(data);
  await writeFile(
    config,
    [
      ...['core', 'cosine', 'inetorgperson'].map((schema) => `include ${join(schemaDir, `${schema}.schema`)}`),
      ...(moduleDir === undefined ? [] : [`modulepath ${moduleDir}`, 'moduleload back_mdb']),
      'database mdb',
      `suffix "${directory.baseDn}"`,
      `directory "${data}"`,
      'maxsize 16777216',
      'dbnosync',
      'access to attrs=userPassword by anonymous auth by * none',
      `access to * by dn.exact="${directory.bindDn}" read by * none`,
      '',
    ].join('\n'),
  );
  await writeFile(ldif, toLdif(directoryEntries(directory)), { mode: 0o600 });
  await promisify(execFile)(binary, ['-T', 'add', '-f', config, '-l', ldif]);
  // A debug level keeps it in the foreground; `none` prints only what is always printed, such as that it is starting.
  return [binary, '-f', config, '-h', url, '-d', 'none'];
}
