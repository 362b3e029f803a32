import { describe, expect, it } from '@jest/globals';
import { checkEncodedPath, encodeMount, encodePath, encodeSegment } from '../../lib/client/path.js';

const REFUSED = { code: 'VAULT_INVALID_PATH' };
const attempt = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('encodePath', () => {
  it.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'a/.',
    'a\n',
    'a\u0000b',
    'a\u0085',
    '\ud800',
    undefined,
    7,
  ])('refuses %j', (path) => {
    expect(attempt(() => encodePath(path as string, 'secretPath'))).toMatchObject(REFUSED);
  });

  it.each([
    ['my-app', 'my-app'],
    ['a/b c/d', 'a/b%20c/d'],
    ['100%', '100%25'],
    ['%2e%2e/x', '%252e%252e/x'],
    ['a?b#c', 'a%3Fb%23c'],
    ['...', '...'],
    ['ü', '%C3%BC'],
  ])('encodes %j', (path, encoded) => {
    expect(encodePath(path, 'secretPath')).toBe(encoded);
  });

  it.each(['/', '//', '/a', '//a', '/a/', '/a//b/', '/../a', '/a/.', '/\u0000', '/\ud800'])(
    'suggests for %j what is accepted, or nothing',
    (path) => {
      let message = '';
      try {
        encodePath(path, 'secretPath');
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toBe('');
      const suggested = /Write (".*")\.$/.exec(message)?.[1];
      if (suggested) expect(() => encodePath(JSON.parse(suggested) as string, 'secretPath')).not.toThrow();
    },
  );

  it('says how to write a path with a leading slash', () => {
    expect(attempt(() => encodePath('/my-app', 'secretPath'))).toMatchObject({
      message: expect.stringContaining('Write "my-app"') as unknown,
    });
  });

  it('never leads out of its mount, whatever it is made of', () => {
    const pieces = ['a', '.', '..', '/', '%2e', '%2f', '\\', '?', '#', ' ', '%', ';', '..;', '&', 'ü', '\t', '//'];
    let seed = 42;
    const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const path = Array.from({ length: 1 + random(6) }, () => pieces[random(pieces.length)]).join('');
      const encoded = attempt(() => encodePath(path, 'secretPath'));
      if (typeof encoded !== 'string') continue;
      accepted++;
      const { pathname, search, hash } = new URL(`http://host/v1/secret/data/${encoded}`);
      expect([pathname.startsWith('/v1/secret/data/'), decodeURIComponent(pathname), search, hash]).toEqual([
        true,
        `/v1/secret/data/${path}`,
        '',
        '',
      ]);
    }
    expect(accepted).toBeGreaterThan(1000);
  });
});

describe('encodeSegment and encodeMount', () => {
  it('a name has no slash; a mount may end in one', () => {
    expect(attempt(() => encodeSegment('a/b', 'username'))).toMatchObject(REFUSED);
    expect(encodeSegment("o'brien", 'username')).toBe("o'brien");
    expect(encodeMount('team/kv/')).toBe('team/kv');
    expect(attempt(() => encodeMount('/'))).toMatchObject(REFUSED);
  });
});

describe('checkEncodedPath', () => {
  it.each(['a/../b', 'a/%2e%2e/b', 'a%2fb', 'a b', 'a#b', 'a\\b', 'a//b', 'a&#39;b', '%', '%00'])(
    'refuses %j',
    (path) => {
      expect(attempt(() => checkEncodedPath(path))).toMatchObject(REFUSED);
    },
  );
});
