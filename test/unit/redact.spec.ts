import { describe, expect, it } from '@jest/globals';
import { failureKind, redact } from '../../lib/errors/redact.js';
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
