import { randomBytes } from 'node:crypto';

/** One person of the test directory. */
export interface LdapUser {
  readonly dn: string;
  readonly password: string;
  readonly groups: readonly string[];
}

/** What is in the directory, and under which names a client finds it. */
export interface LdapDirectory {
  readonly baseDn: string;
  /** The service account: the only one that may search. */
  readonly bindDn: string;
  readonly bindPassword: string;
  /** Where the people are, and the attribute that holds their login name. */
  readonly userDn: string;
  readonly userAttribute: 'uid';
  /** Where the groups are (`groupOfNames`), and the attribute that holds their name. */
  readonly groupDn: string;
  readonly groupAttribute: 'cn';
  readonly users: Readonly<Record<string, LdapUser>>;
}

export interface DirectoryEntry {
  readonly dn: string;
  readonly attributes: Readonly<Record<string, readonly string[]>>;
}

/** The people to create: by login name, with a password and groups of their own where given. */
export type LdapUserOptions = Readonly<Record<string, { password?: string; groups?: readonly string[] }>>;

const BASE_DN = 'dc=example,dc=test';

/** Invents a directory. Passwords that are not given are random, so none can be mistaken for one that matters. */
export function inventDirectory(users: LdapUserOptions): LdapDirectory {
  const userDn = `ou=people,${BASE_DN}`;
  return {
    baseDn: BASE_DN,
    bindDn: `cn=reader,${BASE_DN}`,
    bindPassword: randomPassword(),
    userDn,
    userAttribute: 'uid',
    groupDn: `ou=groups,${BASE_DN}`,
    groupAttribute: 'cn',
    users: Object.fromEntries(
      Object.entries(users).map(([name, { password = randomPassword(), groups = [] }]) => [
        name,
        { dn: `uid=${escapeDnValue(name)},${userDn}`, password, groups },
      ]),
    ),
  };
}

/** The directory as entries, parents first. */
export function directoryEntries(directory: LdapDirectory): DirectoryEntry[] {
  const people = Object.entries(directory.users);
  const groups = [...new Set(people.flatMap(([, user]) => user.groups))];
  const unit = (dn: string, ou: string): DirectoryEntry => ({
    dn,
    attributes: { objectClass: ['organizationalUnit'], ou: [ou] },
  });
  return [
    { dn: BASE_DN, attributes: { objectClass: ['dcObject', 'organization'], dc: ['example'], o: ['Example'] } },
    {
      dn: directory.bindDn,
      attributes: {
        objectClass: ['organizationalRole', 'simpleSecurityObject'],
        cn: ['reader'],
        userPassword: [directory.bindPassword],
      },
    },
    unit(directory.userDn, 'people'),
    unit(directory.groupDn, 'groups'),
    ...people.map(([name, { dn, password }]) => ({
      dn,
      attributes: { objectClass: ['inetOrgPerson'], uid: [name], cn: [name], sn: [name], userPassword: [password] },
    })),
    ...groups.map((group) => ({
      dn: `cn=${escapeDnValue(group)},${directory.groupDn}`,
      attributes: {
        objectClass: ['groupOfNames'],
        cn: [group],
        member: people.filter(([, user]) => user.groups.includes(group)).map(([, user]) => user.dn),
      },
    })),
  ];
}

/** LDIF with every value in base64: no character needs a rule of its own. */
export function toLdif(entries: readonly DirectoryEntry[]): string {
  const line = (name: string, value: string): string => `${name}:: ${Buffer.from(value).toString('base64')}\n`;
  return entries
    .map(({ dn, attributes }) =>
      Object.entries(attributes).reduce(
        (text, [name, values]) => text + values.map((value) => line(name, value)).join(''),
        line('dn', dn),
      ),
    )
    .join('\n');
}

function randomPassword(): string {
  return randomBytes(18).toString('base64url');
}

function escapeDnValue(value: string): string {
  return value.replace(/[,+"\\<>;=#]/g, '\\$&');
}
