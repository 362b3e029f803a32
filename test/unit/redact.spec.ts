import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Credentials } from '../../lib/client/credentials.js';
import { failureKind, redact, secretsOf } from '../../lib/errors/redact.js';
import * as fault from '../support/fault-server.js';
import { renderError } from '../support/render-error.js';
import { createClient } from '../support/vault-client.js';

const SECRET = `p&<w>"o'r d!(*)`;

describe('a secret a server repeats is blanked out', () => {
  it.each<[string, string, string]>([
    ['as it is', SECRET, SECRET],
    ['in other letters', 'AbCdEf-123', 'abcdef-123'],
    ['in a URL with small hex digits', 'a/b:c+d', 'a%2fb%3ac%2bd'],
    ['as Go escapes a query', SECRET, 'p%26%3Cw%3E%22o%27r+d%21%28%2A%29'],
    ['as Go escapes HTML', SECRET, 'p&amp;&lt;w&gt;&#34;o&#39;r d!(*)'],
    ['as others do', SECRET, 'p&amp;&lt;w&gt;&quot;o&#x27;r d!(*)'],
    ['in base64', SECRET, Buffer.from(SECRET).toString('base64')],
    ['in base64url', 'ÿþýÿþý', Buffer.from('ÿþýÿþý').toString('base64url')],
    ['line by line', '-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n', 'cannot parse MIIEvQIBADAN'],
    ['short, where it stands alone', 'x9', 'x9'],
    ['short and special', '$1', '$1'],
  ])('%s', (_, secret, echo) => {
    const clean = redact(`<${echo}>, "${echo}"`, [secret]);
    expect(clean).toContain('***');
    expect(clean.replace('cannot parse', '')).not.toContain(echo.replace('cannot parse ', ''));
  });

  it('and words and counts are left that only look like part of one', () => {
    expect(redact('version 12 of x9y, a token', ['12', 'x9', '7'])).toBe('version 12 of x9y, a token');
  });
});

it.each([
  ['Bearer gateway-token-1', 'gateway-token-1'],
  ['session=cookie-value-1; theme=dark', 'cookie-value-1'],
  [`Basic ${Buffer.from('user:gateway-password').toString('base64')}`, 'gateway-password'],
])('a gateway that quotes part of the header %j is not repeated', async (authorization, part) => {
  const server = await fault.startFaultServer(fault.json(400, { errors: [`the credential ${part} is not valid`] }));
  const client = await createClient(server.endpoint, 'session-token', { headers: { authorization } });
  const error: unknown = await client.request({ method: 'GET', path: 'x' }).catch((thrown: unknown) => thrown);
  await client.close();
  await server.close();
  expect(renderError(error)).toContain('the credential ***');
  expect(renderError(error)).not.toContain(part);
});

describe('a credential that an earlier call has sent', () => {
  const SECRET_ID = 'b7a1f0c2-5d5e-4c0f-9d0a-secret-id';
  const PASSWORD = 'correct horse battery';

  async function errorAfterLogins(echo: string): Promise<string> {
    const server = await fault.startFaultServer(fault.json(200, {}));
    const client = await createClient(server.endpoint, 'hvs.the-current-token');
    await client.request({
      method: 'POST',
      path: 'auth/approle/login',
      body: { role: 'reporting-role', secret_id: SECRET_ID, nested: { password: PASSWORD } },
      token: null,
    });
    await client.request({ method: 'GET', path: 'x', token: 'previous-token-0123456789' });
    server.answerWith(fault.json(400, { errors: [`bad input: ${echo}`] }));
    const error: unknown = await client.request({ method: 'GET', path: 'y' }).catch((thrown: unknown) => thrown);
    await client.close();
    await server.close();
    return renderError(error);
  }

  it.each([
    ['the secret id of the login', SECRET_ID],
    ['a part of it', SECRET_ID.slice(3, 12)],
    ['its password', PASSWORD],
    ['its password in base64', Buffer.from(PASSWORD).toString('base64')],
    ['the previous token', 'previous-token-0123456789'],
    ['a part of the current token', 'the-current-to'],
  ])('is not shown: %s', async (_, echo) => {
    const shown = await errorAfterLogins(echo);
    expect(shown).toContain('status 400');
    expect(shown).not.toContain(echo);
  });

  it('is not confused with the name of the role', async () => {
    expect(await errorAfterLogins('role "reporting-role"')).toContain('bad input: role "reporting-role"');
  });

  it('is forgotten when many have followed, so that the search stays small', () => {
    const credentials = new Credentials();
    for (let index = 0; index < 1000; index += 1) credentials.addToken(`token-${index}-${'x'.repeat(500)}`);
    expect(credentials.all.join('').length).toBeLessThanOrEqual(16 * 1024);
    expect(credentials.all.at(-1)).toMatch(/^token-999-/);
    credentials.addToken('y'.repeat(1024 * 1024));
    expect(credentials.all.at(-1)).toMatch(/^token-999-/);
  });
});

it('the kind of any failure can be told, also of one that cannot be looked at', () => {
  const strange = new Proxy(new Error('x'), {
    get: () => {
      throw new Error('y');
    },
  });
  const nameless = Object.assign(new Error('x'), { name: undefined });
  expect([new TypeError('x'), 'text', null, nameless, strange].map(failureKind)).toEqual([
    ...['TypeError', 'string', 'object', 'undefined', 'unknown'],
  ]);
});

const LONG = 'correct-Horse/battery+Staple=47!"\u00e9\u00fc\ud83d\ude00$%&<>\'x\ntail';
const JWT = ['header', 'payload', 'signature'].map((part) => Buffer.from(`{"${part}":1234567}`).toString('base64url'));
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
const inUnicode = (text: string): string =>
  text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** How a server, a proxy or a validator may write what it was sent. */
const SHAPES: Readonly<Record<string, (text: string) => string>> = {
  JSON: inJson,
  'JSON in JSON': (text) => inJson(inJson(text)),
  'JSON three times': (text) => inJson(inJson(inJson(text))),
  'escapes of JSON throughout': inUnicode,
  'escapes of JSON in JSON': (text) => inJson(inUnicode(text)),
  'escapes of Go': (text) =>
    text.replace(/[^\x20-\x7e]/gu, (letter) => `\\U${letter.codePointAt(0)?.toString(16).padStart(8, '0')}`),
  'bytes as \\x': (text) => [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
  'entities in decimal': (text) => [...text].map((letter) => `&#${letter.codePointAt(0)};`).join(''),
  'entities in hex': (text) => [...text].map((letter) => `&#x${letter.codePointAt(0)?.toString(16)};`).join(''),
  'entities of a URL': (text) => encodeURIComponent(text).replaceAll('%', '&#x25;'),
  'a URL': encodeURIComponent,
  'a URL in a URL': (text) => encodeURIComponent(encodeURIComponent(text)),
  'percent encoding throughout': (text) => Buffer.from(text).toString('hex').replace(/../g, '%$&'),
  hex: (text) => Buffer.from(text).toString('hex'),
  'hex in capitals with colons': (text) =>
    (Buffer.from(text).toString('hex').toUpperCase().match(/../g) ?? []).join(':'),
  'a dump': (text) => (Buffer.from(text).toString('hex').match(/../g) ?? []).join(' '),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'base64 after one byte': (text) => Buffer.from(`x${text}`).toString('base64'),
  'base64 after two bytes': (text) => Buffer.from(`xy${text}`).toString('base64'),
  'base64 that has lost its beginning': (text) => Buffer.from(`${text}`).toString('base64').slice(1),
  'base64 in lines': (text) =>
    (
      Buffer.from(text)
        .toString('base64')
        .match(/.{1,20}/g) ?? []
    ).join('\n'),
  'decomposed letters': (text) => text.normalize('NFD'),
  'composed letters': (text) => text.normalize('NFC'),
  capitals: (text) => text.toUpperCase(),
  'without spaces at the ends': (text) => text.trim(),
  'letter by letter': (text) => [...text].join(' '),
};

describe('a secret in another shape leaves nothing of the text', () => {
  it.each(Object.keys(SHAPES))('%s', (shape) => {
    const echo = (SHAPES[shape] as (text: string) => string)(LONG);
    for (const text of [`invalid value ${echo}`, `"${echo}" is not allowed`, `bad (${echo})`]) {
      // The usual shapes are blanked out.
      expect(
        redact(text, [LONG]).replace(/^(?:invalid value \*\*\*=*|"\*\*\*=*" is not allowed|bad \(\*\*\*=*\))$/, ''),
      ).toBe('');
    }
  });

  it('nor in part, from any place, in any shape', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 12, maxLength: 80 }),
        fc.nat(),
        fc.integer({ min: 12, max: 40 }),
        fc.constantFrom(...Object.keys(SHAPES).filter((shape) => shape !== 'base64 that has lost its beginning')),
        (secret, at, length, shape) => {
          const start = at % (secret.length - 11);
          const part = secret.slice(start, start + length);
          // Of what is only quotes and spaces there is nothing to find.
          fc.pre(/^[^\s\\"'`+&%\ufffd\p{Cc}\p{M}]{10,}$/u.test(part) && !/\p{Cs}/u.test(secret + part));
          fc.pre(part.normalize('NFKC').toLowerCase().length >= 10 && part === part.normalize('NFC'));
          const echo = (SHAPES[shape] as (text: string) => string)(part);
          expect(redact(`value ${echo}...`, [secret])).not.toContain(echo);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('of eight characters, from any place, in any shape', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9_.:/-]{12,64}$/),
        fc.nat(),
        fc.constantFrom(...Object.keys(SHAPES).filter((shape) => shape !== 'base64 that has lost its beginning')),
        (secret, at, shape) => {
          const start = at % (secret.length - 7);
          const echo = (SHAPES[shape] as (text: string) => string)(secret.slice(start, start + 8));
          expect(redact(`value ${echo}...`, [secret])).toBe('');
        },
      ),
      { numRuns: 600 },
    );
  });

  it.each([
    ['the beginning', LONG.slice(0, 20)],
    ['the middle', LONG.slice(5, 16)],
    ['the end of a token', JWT.join('.').slice(-12)],
    ['a part of a JWT', JWT[2] ?? ''],
  ])('%s', (_, part) => {
    expect(redact(`cannot parse ${part}...`, [LONG, JWT.join('.')])).toBe('');
  });

  it('in a key of the body, unless it is a parameter of the API', () => {
    const secrets = secretsOf({ data: { sk_live_4eC39HqLyjWD: 1, max_lease_ttl: 2 } }, true);
    expect(redact('unknown field sk_live_4eC39HqL', secrets)).toBe('');
    expect(redact('field "max_lease_ttl" is not valid', secrets)).toBe('field "max_lease_ttl" is not valid');
  });
});

describe('what is no secret stays readable', () => {
  const body = {
    role: 'reader',
    policy: 'path "secret/data/team/app" { capabilities = ["read"] }',
    secret_id: 'c0ffee00-aaaa',
  };
  it.each([
    'permission denied',
    'no handler for route "secret/data/team/app". route entry not found.',
    'check-and-set parameter did not match the current version',
    'missing secret_id',
    'namespace not found',
  ])('%s', (text) => {
    expect(redact(text, secretsOf(body, true), 'write secret/data/team/app')).toBe(text);
  });
});

describe('more than can be searched without blocking', () => {
  const addresses = Array.from(
    { length: 300_000 },
    (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  );
  it.each<[string, string[]]>([
    ['one long secret', ['x'.repeat(4 * 1024 * 1024)]],
    ['many lines in one secret', [addresses.join('\n')]],
    ['many short lines', [addresses.slice(0, 4000).join('\n')]],
    ['many secrets', addresses],
  ])('leaves nothing of the text: %s', (_, secrets) => {
    expect(redact('the server says no', secrets)).toBe('');
  });
});
