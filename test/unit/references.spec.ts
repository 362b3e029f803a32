import { describe, expect, it } from '@jest/globals';
import { KnownReferences } from '../../lib/config/references/leftover-references.js';
import { describeProblem, referencesInVariables } from '../../lib/config/references/resolve-references.js';
import { addressOf, hasReferenceForm, parseReferences } from '../../lib/config/references/reference.js';
import type { ReferenceProblem, VaultReference } from '../../lib/config/references/reference.js';
import type { ReferenceRules } from '../../lib/config/references/reference.options.js';
import type { Environment } from '../../lib/options/env-file.js';
import { expand } from '../../lib/config/sources/vault-source.js';
import { failWhenBlocked } from '../support/blocked-loop.js';
import { camelCase, screamingCase } from '../../lib/config/assembly/map-keys.js';

failWhenBlocked();

function slips(rows: [ReferenceProblem, string, (string | undefined)?, string?][]) {
  return rows.map(([problem, text, named, part]) => ({ problem, text, named, part }));
}

describe('the notation', () => {
  it.each<[string, object]>([
    ['vault:secret/data/my-app/db#password', { path: 'secret/data/my-app/db', key: 'password' }],
    ['vault:secret/db#password#3', { path: 'secret/db', key: 'password', version: 3 }],
    ['vault:secret/db#a.b?', { path: 'secret/db', key: 'a.b', fallback: '' }],
    ['vault:secret/db#k#2?x?y#z ${w}\nq', { path: 'secret/db', key: 'k', version: 2, fallback: 'x?y#z ${w}\nq' }],
    ['vault:secret/a:b#k', { path: 'secret/a:b', key: 'k' }],
  ])('%j is one reference', (text, expected) => {
    expect(parseReferences(text)).toEqual([{ text: text.split('?')[0], ...expected }]);
  });

  it('finds references in longer texts', () => {
    expect(parseReferences('pg://${vault:secret/db#user}:${vault:secret/db#password#2?none}@host/${DB}')).toEqual([
      'pg://',
      { text: 'vault:secret/db#user', path: 'secret/db', key: 'user' },
      ':',
      { text: 'vault:secret/db#password#2', path: 'secret/db', key: 'password', version: 2, fallback: 'none' },
      '@host/${DB}',
    ]);
  });

  it.each([
    '',
    'vault',
    'my-vault:secret/db#k',
    'vault://host/path#fragment',
    '"vault://host/path"',
    'https://vault:8200/ui#secret',
    'http://vault:secret/data/x#y',
    'vault:8200',
    'vault:v1:cGxhaW4/dGV4dA==',
    'vault:v12:cGxhaW4/dGV4dA==#x',
    '>>vault:secret/db#k',
    'see vault:secret/db#k for the rest',
    '{"a":"vault:secret/db#k"}',
    '$vault:secret/db#k',
    '${VAULT}',
    '${vault}',
    '${vault-x}',
  ])('%j does not have the form of a reference', (text) => {
    expect(hasReferenceForm(text)).toBe(false);
    expect(parseReferences(text)).toBeUndefined();
  });

  it.each(
    slips([
      ['default', 'vault:secret/data/my-app?changeme', 'vault:secret/data/my-app'],
      ['default', 'vault:secret/data/my-app?changeme#KEY', 'vault:secret/data/my-app'],
      ['default', '${vault:secret/data/my-app?changeme#KEY}', 'vault:secret/data/my-app'],
      ['truncated', 'vault:secret/data/my-app', 'vault:secret/data/my-app'],
      ['truncated', 'vault:secret/data/my-app/KEY', 'vault:secret/data/my-app/KEY', 'secret/data/my-app#KEY'],
      ['truncated', '${vault:secret/db}'],
      ['truncated', 'vault:'],
      ['truncated', 'vault:login', 'vault:'],
      ['truncated', 'vault:correct horse battery', 'vault:'],
      ['truncated', 'vault:secret/db:hunter2@host', 'vault:secret/db…'],
      ['space', 'vault:secret/data/Test Problem#KEY', 'vault:secret/data/Test…'],
      ['space', '${vault:secret/data/Test Problem#KEY}'],
      ['space', 'vault: secret/data/my-app#KEY', 'vault:secret/data/my-app', 'vault:'],
      ['space', 'vault:\tsecret/data/my-app#KEY', 'vault:secret/data/my-app', 'vault:'],
      ['space', 'vault:secret/data/my-app #KEY', 'vault:secret/data/my-app…', '#'],
      ['space', '${ vault:secret/db#k }', undefined, '${'],
      ['mount', 'vault:my-app#KEY', 'vault:my-app#KEY'],
      ['mount', 'x${vault:my-app#KEY}'],
      ['mount', 'vault:#KEY'],
      ['backslash', 'vault:secret\\data\\my-app#KEY'],
      ['backslash', 'vault:secret/data\\my-app#KEY'],
      ['slash', 'vault:secret//db#k', 'vault:secret//db'],
      ['slash', 'vault:/secret/db#k', 'vault:/secret/db'],
      ['slash', 'vault:secret/db/#k', 'vault:secret/db/'],
      ['key', 'vault:secret/db#', 'vault:secret/db', ''],
      ['key', 'vault:secret/db#my key', 'vault:secret/db', 'my…'],
      ['key', '${vault:secret/db# k}', 'vault:secret/db'],
      ['version', 'vault:secret/db#k#0', 'vault:secret/db', '0'],
      ['version', 'vault:secret/db#k#v2', 'vault:secret/db', 'v2'],
      ['version', 'vault:secret/db#KEY#latest', 'vault:secret/db', 'latest'],
      ['version', 'vault:secret/db#KEY#', 'vault:secret/db', ''],
      ['version', 'vault:secret/db#k#-1', 'vault:secret/db', '-1'],
      ['version', 'vault:secret/db#k#2#3', 'vault:secret/db', '2#3'],
      ['version', 'pg://${vault:secret/db#k#latest?x}@db', 'vault:secret/db', 'latest'],
      ['template', 'vault:secret/data/db#${.password | toUpper}', 'vault:secret/data/db'],
      ['template', '${vault:secret/data/db#${.password}}', 'vault:secret/data/db'],
      ['percent', 'vault:secret/100%#k', 'vault:secret/100%#k'],
      ['percent', 'vault:secret/db#%zz?x', 'vault:secret/db#%zz'],
      ['case', 'VAULT:SECRET/DATA/MY-APP#KEY'],
      ['case', 'Vault:secret/data/my-app#KEY'],
      ['case', '${VAULT:secret/db#k}'],
      ['case', ' "VAULT:SECRET/DB" '],
      ['unclosed', 'x${vault:secret/data/my-app#KEY'],
      ['unclosed', '${vault:secret/db#k@${HOST}'],
      ['truncated', 'pg://${vault:secret/db', 'vault:secret/db'],
      ['unclosed', '${vault:a/b#k} ${vault:secret/db#k?dflt', 'vault:secret/db#k'],
      ['truncated', '${vault:'],
      ['escaped', '\\${vault:secret/db#k}', 'vault:secret/db#k'],
      ['braces', 'x ${vault:secret/db#k?${vault:secret/other#k}} y'],
      ['braces', '${vault:secret/db#k?{"a":1}}'],
      ['braces', '${vault:secret/a#k}-${vault:secret/db#k?${HOST}}'],
      ['chained', 'vault:secret/a#k?vault:secret/b#k', 'vault:secret/a#k'],
      ['chained', 'vault:secret/a#k?VAULT:SECRET/B', 'vault:secret/a#k'],
      ['chained', 'vault:secret/a#k?pg://${vault:secret/b#k}@h', 'vault:secret/a#k'],
      ['ambiguous', 'vault:secret/db#password@db:5432/app?sslmode=require'],
      ['ambiguous', '${vault:secret/db#a/b?x}', 'vault:secret/db#a/b', 'a/b'],
      ['wrapped', '"vault:secret/db#k"', 'vault:secret/db#k'],
      ['wrapped', "'vault:secret/db#k#2'", 'vault:secret/db#k#2'],
      ['wrapped', ' vault:secret/db#k', 'vault:secret/db#k'],
      ['wrapped', '\ufeffvault:secret/db#k', 'vault:secret/db#k'],
      ['wrapped', '\u200bvault:secret/db#k', 'vault:secret/db#k'],
      ['wrapped', '“vault:secret/db#k”', 'vault:secret/db#k'],
      ['wrapped', '\\"vault:secret/db#k\\"', 'vault:secret/db#k'],
      ['wrapped', 'vault:secret/db#k\n', 'vault:secret/db#k'],
      ['wrapped', '   vault:secret/db#k?x', 'vault:secret/db#k'],
      ['wrapped', '\n" vault:secret/db#k "\n', 'vault:secret/db#k'],
      ['notation', 'vault:sec:ret/db#k'],
    ]),
  )('shows the $problem of $text', ({ problem, text, named, part }) => {
    expect(hasReferenceForm(text)).toBe(true);
    const parts = parseReferences(text);
    expect(parts).toHaveLength(1);
    const reference = parts?.[0] as VaultReference;
    expect(reference.problem).toBe(problem);
    if (named !== undefined) expect(reference.text).toBe(named);
    if (part !== undefined) expect(reference.part).toBe(part);
    const message = describeProblem(reference, problem);
    expect(`${reference.text} ${message}`).not.toMatch(/changeme|hunter2|horse|Problem|sslmode|dflt|undefined|[\n\t]/);
    expect(message).not.toBe('');
  });

  it('keeps what follows a lost brace out of errors', () => {
    for (const behind of [
      '@hunter2',
      ':hunter2@db',
      ' hunter2',
      '"},"x":"hunter2"',
      '?hunter2',
      '&x=hunter2',
      '#2?hunter2',
      "'hunter2",
    ]) {
      const [reference] = parseReferences(`pg://\${vault:secret/db#password${behind}`) as [VaultReference];
      expect(reference.problem).toBeDefined();
      expect(`${reference.text} ${reference.part} ${describeProblem(reference, 'unclosed')}`).not.toContain('hunter2');
    }
  });

  it('takes encoded characters in paths and keys', () => {
    expect(parseReferences('vault:secret/data/Test%20Problem%3F#my%20key%23?x')).toEqual([
      { text: 'vault:secret/data/Test%20Problem%3F#my%20key%23', path: 'secret/data/Test Problem?', key: 'my key#', fallback: 'x' }, // prettier-ignore
    ]);
    expect(parseReferences('<${vault:secret/50%25#a%2Fb?c}>')).toMatchObject(['<', { path: 'secret/50%', key: 'a/b' }, '>']); // prettier-ignore
    const [upwards] = parseReferences('vault:secret/%2e%2e/sys#k') ?? [];
    expect(() => addressOf(upwards as never, ['secret'])).toThrow('could lead to another path');
  });

  it('takes linear time, whatever is thrown at it', () => {
    // Quadratic, each of these takes minutes.
    for (const part of [
      '${vault:a/b#c',
      '${vault:a/b#c?',
      'vault:a/',
      'a/b#',
      '${vault:',
      '${',
      '#',
      '?',
      'vault:a/b#c?}',
      '" ',
      'vault:a//',
      'vault:a/b#c?vault:',
      '\u200b ',
      '${ ',
      '${vault: ',
      'vault:a/b#c\n',
    ]) {
      for (const parse of [parseReferences, hasReferenceForm]) {
        parse(part.repeat(100_000));
        parse(`vault:${part.repeat(100_000)}`);
        parse(`\${vault:a/${part.repeat(100_000)}`);
      }
    }
    expect(parseReferences('${vault:a/b#c}'.repeat(50_000))).toHaveLength(50_000);
  });
});

describe('variables with references', () => {
  it('have no name that would reach into objects', () => {
    const environment = JSON.parse('{"__proto__":"vault:secret/db#tls","constructor":"x","PLAIN":"y"}') as Environment;
    const references: ReferenceRules = { mounts: ['secret'], inSecrets: false, literal: [] };
    const found = referencesInVariables({ environment, references }, new KnownReferences());
    expect([...found]).toEqual([['__proto__', [expect.objectContaining({ problem: 'name' })]]]);
  });
});

describe('mount and path', () => {
  const mounts = ['team/kv', 'secret', 'team'];
  it.each([
    ['vault:secret/data/my-app/db#k', 'secret', 'my-app/db'],
    ['vault:secret/my-app/db#k', 'secret', 'my-app/db'],
    ['vault:secret/app/data/x#k', 'secret', 'app/data/x'],
    ['vault:secret/data/data/x#k', 'secret', 'data/x'],
    ['vault:team/kv/data/x#k', 'team/kv', 'x'],
    ['vault:team/kv/x#k', 'team/kv', 'x'],
    ['vault:team/other/x#k', 'team', 'other/x'],
    ['vault:new/mount/data/x#k', 'new/mount', 'x'],
    ['vault:new/mount/x#k', 'new', 'mount/x'],
    ['vault:secretive/x#k', 'secretive', 'x'],
  ])('%s', (text, mountPath, secretPath) => {
    const [reference] = parseReferences(text) ?? [];
    expect(addressOf(reference as never, mounts)).toEqual({ mountPath, secretPath });
  });

  it.each(['vault:secret/../sys#k', 'vault:secret/./x#k'])('%s is refused', (text) => {
    const [reference] = parseReferences(text) ?? [];
    expect(() => addressOf(reference as never, mounts)).toThrow('could lead to another path');
  });
});

describe('names', () => {
  it.each([
    [['database', 'password'], 'DATABASE_PASSWORD'],
    [['database', 'maxPoolSize'], 'DATABASE_MAX_POOL_SIZE'],
    [['HTTPServer'], 'HTTP_SERVER'],
    [['s3Bucket', 'db2'], 'S3_BUCKET_DB2'],
    [['DB_PASSWORD'], 'DB_PASSWORD'],
    [['a.b[0]-c'], 'A_B_0_C'],
  ])('%j in capitals', (path, expected) => expect(screamingCase(path)).toBe(expected));

  it.each([
    ['MAX_POOL_SIZE', 'maxPoolSize'],
    ['DB', 'db'],
    ['already_small', 'already_small'],
    ['_X', '_x'],
  ])('%s in camelCase', (name, expected) => expect(camelCase(name)).toBe(expected));
});

describe('templates', () => {
  it('do not expand what they have put in', () => {
    expect(expand('a/${X}/${Y:-b}/${Z:-c}', { X: '${Y}', Z: '' }, 'o')).toBe('a/${Y}/b/c');
    expect(() => expand('${toString}', {}, 'o')).toThrow('"o" takes its value from the variable toString');
  });
});
