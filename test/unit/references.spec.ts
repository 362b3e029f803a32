import { describe, expect, it } from '@jest/globals';
import { addressOf } from '../../lib/config/references/reference-address.js';
import { parseFlawedReference, parseReferences } from '../../lib/config/references/reference-syntax.js';
import { expand } from '../../lib/config/sources/template.js';
import { failWhenBlocked } from '../support/blocked-loop.js';
import { camelCase, screamingCase } from '../../lib/config/assembly/key-case.js';

failWhenBlocked();

describe('the notation', () => {
  it.each<[string, object]>([
    ['vault:secret/data/my-app/db#password', { path: 'secret/data/my-app/db', key: 'password' }],
    ['vault:secret/db#password#3', { path: 'secret/db', key: 'password', version: 3 }],
    ['vault:secret/db#password#0', { path: 'secret/db', key: 'password' }],
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
    'vault:',
    'vault://host/path#fragment',
    'https://vault:8200/ui#secret',
    'http://vault:secret/data/x#y',
    'vault:secret#key',
    'vault:secret/db',
    'vault:secret/db#',
    'vault:secret/db#k#v2',
    'vault:secret/db#k#2#3',
    'vault:secret//db#k',
    'vault:/secret/db#k',
    'vault:secret/my db#k',
    'vault:v1:cGxhaW4/dGV4dA==#x',
    'vault:login',
    ' vault:secret/db#k',
    '>>vault:secret/db#k',
    'see vault:secret/db#k for the rest',
    '${vault:secret/db}',
    '${vault:secret/db#k',
    '${VAULT:secret/db#k}',
    '${ vault:secret/db#k }',
  ])('%j is text', (text) => expect(parseReferences(text)).toBeUndefined());

  it.each([
    'x ${vault:secret/db#k?${vault:secret/other#k}} y',
    '${vault:secret/db#k?{"a":1}}',
    '${vault:secret/a#k}-${vault:secret/db#k?${HOST}}',
  ])('%j has a default that nobody can know the end of', (text) => {
    expect(parseReferences(text)).toEqual([{ text: 'vault:secret/db#k', path: 'secret/db', key: 'k', flaw: 'open' }]);
  });

  it.each([
    ['vault:secret/data/my-app/db', 'secret/data/my-app/db'],
    ['pg://${vault:secret/db', 'secret/db'],
  ])('%j has lost its key', (text, path) => {
    expect(parseFlawedReference(text)).toEqual([{ text: `vault:${path}`, path, key: '', flaw: 'cut' }]);
  });

  it.each([
    'vault:v1:cGxhaW4/dGV4dA==',
    'vault://host/path',
    'vault:login',
    'see vault:secret/db',
    '${vault:secret/db}',
    'vault:v1:cGxhaW4/dGV4dA==#x',
    'vault://host/path#fragment',
    'vault:secret#key',
    'see vault:secret/db#k for the rest',
    '>>vault:secret/db#k',
    'https://vault:8200/ui#secret',
    'vault:secret/data/my-app/db#${.password | toUpper}',
    '{"a":"vault:secret/db#k"}',
  ])('%j is not meant as a reference', (text) => expect(parseFlawedReference(text)).toBeUndefined());

  it.each([
    '"vault:secret/db#k"',
    "'vault:secret/db#k#2'",
    ' vault:secret/db#k',
    'vault:secret/db#k\n',
    'vault:secret/db#k?x'.padStart(30),
    '\n" vault:secret/db#k "\n',
  ])('%j has something around it', (text) => {
    expect(parseReferences(text)).toBeUndefined();
    expect(parseFlawedReference(text)).toMatchObject([{ path: 'secret/db', key: 'k', flaw: 'wrapped' }]);
  });

  it.each([
    'vault:secret/db#',
    'vault:secret/db#k#v2',
    'vault:secret/db#k#-1',
    'vault:secret/db#k#2#3',
    'vault:secret/db#my key',
    'vault:secret//db#k',
    'vault:/secret/db#k',
  ])('%j is malformed', (text) => {
    expect(parseReferences(text)).toBeUndefined();
    const { text: named } = parseFlawedReference(text)?.[0] as { text: string };
    expect(text.startsWith(`${named}#`)).toBe(true);
    expect(parseFlawedReference(text)).toMatchObject([{ key: '', flaw: 'malformed' }]);
  });

  it.each(['vault:secret/a#k?vault:secret/b#k', 'vault:secret/a#k?pg://${vault:secret/b#k}@h'])(
    '%j has a reference as its default',
    (text) => expect(parseReferences(text)).toMatchObject([{ text: 'vault:secret/a#k', flaw: 'chained' }]),
  );

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
    ]) {
      for (const parse of [parseReferences, parseFlawedReference]) {
        parse(part.repeat(100_000));
        parse(`vault:${part.repeat(100_000)}`);
        parse(`\${vault:a/${part.repeat(100_000)}`);
      }
    }
    expect(parseReferences('${vault:a/b#c}'.repeat(50_000))).toHaveLength(50_000);
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
