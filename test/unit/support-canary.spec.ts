import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { canary, findLeaks, forgetCanaries, renderError, snapshotProcess, track } from '../support/canary.js';

beforeEach(forgetCanaries);

const formsIn = (text: string): string[] => findLeaks(text).flatMap((leak) => leak.forms);

describe('canary', () => {
  it('is a new marked secret every time', () => {
    const [one, two] = [canary('token'), canary('token')];
    expect(one).toMatch(/^CANARY-[0-9a-f]{12}-token-[0-9a-f]{12}$/);
    expect(two).not.toBe(one);
  });

  it('refuses a name that would need escaping, and a secret too short to be told from other text', () => {
    expect(() => canary('a b')).toThrow('name');
    expect(() => track('pin', '1234')).toThrow('short');
  });
});

describe('findLeaks', () => {
  it('finds nothing in other text, whatever resembles a canary', () => {
    canary('token');
    expect(findLeaks('CANARY-000000000000-token-000000000000 CANARY token')).toEqual([]);
    expect(findLeaks('')).toEqual([]);
  });

  it('says which secret, in which form, and where, without the secret itself', () => {
    const [token, password] = [canary('token'), canary('password')];
    canary('unused');
    const leaks = findLeaks(`GET /v1/x {"X-Vault-Token":"${token}"} and ${password}`);
    expect(leaks.map(({ name }) => name)).toEqual(['token', 'password']);
    expect(leaks[0]?.forms).toEqual(['as it is', 'first half', 'last half']);
    expect(leaks[0]?.near).toBe('GET /v1/x {"X-Vault-Token":"«token»"} and «password»');
  });

  it('tells two secrets of one name apart', () => {
    const [one] = [canary('token'), canary('token')];
    expect(findLeaks(one)).toHaveLength(1);
  });

  it('finds halves', () => {
    const secret = canary('token');
    const middle = Math.ceil(secret.length / 2);
    expect(formsIn(`x${secret.slice(0, middle)}…`)).toEqual(['first half']);
    expect(formsIn(`…${secret.slice(-middle)}x`)).toEqual(['last half']);
    expect(formsIn(secret.slice(0, middle - 2))).toEqual([]);
  });

  it('does not look for halves of less than eight characters', () => {
    track('pin', '123456789012345');
    expect(findLeaks('12345678')).toEqual([]);
    expect(findLeaks('123456789012345')).toHaveLength(1);
  });

  const awkward = 'pä ß"\'\\/&=?#\n%2F';
  it.each<[string, (secret: string) => string]>([
    ['JSON', (secret) => JSON.stringify({ secret })],
    ['JSON in JSON', (secret) => JSON.stringify({ log: JSON.stringify({ secret }) })],
    ['inspect', (secret) => inspect({ secret })],
    ['URL component', (secret) => `/v1/${encodeURIComponent(secret)}`],
    ['URL component in lower case', (secret) => encodeURIComponent(secret).toLowerCase()],
    ['form', (secret) => new URLSearchParams({ secret }).toString()],
    ['hex', (secret) => Buffer.from(secret).toString('hex')],
    ['hex in upper case', (secret) => Buffer.from(secret).toString('hex').toUpperCase()],
    ['inspected Buffer', (secret) => inspect(Buffer.from(secret))],
    ['inspected Uint8Array', (secret) => inspect(new Uint8Array(Buffer.from(secret)))],
    ['Buffer as JSON', (secret) => JSON.stringify(Buffer.from(secret), null, 2)],
    ...(['', 'u', 'us', 'user:'] as const).map((prefix): [string, (secret: string) => string] => [
      `base64 behind ${prefix.length} characters`,
      (secret) => Buffer.from(`${prefix}${secret}:more`).toString('base64'),
    ]),
    ['base64url', (secret) => Buffer.from(secret).toString('base64url')],
  ])('finds the form: %s', (_name, form) => {
    const secret = track('password', awkward);
    const text = form(secret);
    expect(findLeaks(`[${text}]`)).toHaveLength(1);
    expect(findLeaks(`[${text.slice(0, text.length / 3)}]`)).toEqual([]);
    expect(findLeaks(`[${form(canary('plain'))}]`)).toMatchObject([{ name: 'plain' }]);
  });
});

describe('renderError shows a secret', () => {
  const leaksOf = (make: (secret: string) => unknown): string[] => {
    const secret = canary('planted');
    return findLeaks(renderError(make(secret))).map(({ name }) => name);
  };
  const withProperty = (key: PropertyKey, descriptor: PropertyDescriptor): Error =>
    Object.defineProperty(new Error('failed'), key, descriptor);

  class Hiding extends Error {
    constructor(private readonly hidden: string) {
      super('failed');
    }
    toJSON(): object {
      return {};
    }
    [inspect.custom](): string {
      return '[redacted]';
    }
    override toString(): string {
      return '[redacted]';
    }
    protected reveal(): string {
      return this.hidden;
    }
  }
  class OnlyInJson extends Error {
    readonly #secret: string;
    constructor(secret: string) {
      super('failed');
      this.#secret = secret;
    }
    toJSON(): object {
      return { secret: this.#secret };
    }
  }
  class OnlyInInspect extends Error {
    readonly #secret: string;
    constructor(secret: string) {
      super('failed');
      this.#secret = secret;
    }
    [inspect.custom](): string {
      return this.#secret;
    }
  }
  class OnlyInText extends Error {
    readonly #secret: string;
    constructor(secret: string) {
      super('failed');
      this.#secret = secret;
    }
    override toString(): string {
      return this.#secret;
    }
  }
  class Accessor extends Error {
    readonly #secret: string;
    constructor(secret: string) {
      super('failed');
      this.#secret = secret;
    }
    get token(): string {
      return this.#secret;
    }
  }

  it.each<[string, (secret: string) => unknown]>([
    ['in the message', (secret) => new Error(secret)],
    ['in the stack', (secret) => withProperty('stack', { value: `Error: failed\n at ${secret}` })],
    ['in the name', (secret) => withProperty('name', { value: secret })],
    ['in the cause', (secret) => new Error('failed', { cause: new Error('inner', { cause: { token: secret } }) })],
    ['in a cause that is no object', (secret) => new Error('failed', { cause: secret })],
    ['in one of several errors', (secret) => new AggregateError([new Error('a'), new Error(secret)], 'failed')],
    ['in the cause of one of several', (s) => new AggregateError([new Error('a', { cause: new Error(s) })], 'failed')],
    ['in a property', (secret) => Object.assign(new Error('failed'), { config: { headers: { token: secret } } })],
    ['in a property that is not enumerable', (value) => withProperty('hidden', { value, enumerable: false })],
    ['in a symbol property', (value) => withProperty(Symbol('hidden'), { value })],
    ['in the name of a property', (secret) => withProperty(secret, { value: 1 })],
    ['in the description of a symbol', (secret) => withProperty('hidden', { value: Symbol(secret) })],
    ['behind a getter', (secret) => withProperty('token', { get: () => secret })],
    ['behind a getter that throws it', (s) => withProperty('token', { get: () => { throw new Error(s); } })], // prettier-ignore
    ['behind a getter of its class', (secret) => new Accessor(secret)],
    ['behind redacting methods', (secret) => new Hiding(secret)],
    ['in toJSON() only', (secret) => new OnlyInJson(secret)],
    ['in inspect.custom only', (secret) => new OnlyInInspect(secret)],
    ['in toString() only', (secret) => new OnlyInText(secret)],
    ['in toJSON() of a cause', (secret) => new Error('failed', { cause: new OnlyInJson(secret) })],
    ['in toString() of a cause', (secret) => new Error('failed', { cause: new OnlyInText(secret) })],
    ['in a Map', (secret) => withProperty('map', { value: new Map([['token', secret]]) })],
    ['in a key of a Map', (secret) => withProperty('map', { value: new Map([[{ secret }, 1]]) })],
    ['in a Set', (secret) => withProperty('set', { value: new Set([secret]) })],
    ['in a Buffer', (secret) => withProperty('body', { value: Buffer.from(secret) })],
    ['late in a long Buffer', (secret) => withProperty('body', { value: Buffer.from('x'.repeat(500) + secret) })],
    ['in an ArrayBuffer', (secret) => withProperty('body', { value: new Uint8Array(Buffer.from(secret)).buffer })],
    ['late in a long array', (secret) => withProperty('list', { value: [...new Array<number>(500).fill(0), secret] })],
    ['late in a long string', (secret) => withProperty('text', { value: 'x'.repeat(20_000) + secret })],
    ['in Headers', (secret) => withProperty('headers', { value: new Headers({ 'x-vault-token': secret }) })],
    ['in a URL', (secret) => withProperty('url', { value: new URL(`http://u:${secret}@127.0.0.1/`) })],
    ['on a function', (secret) => withProperty('retry', { value: Object.assign(() => 1, { secret }) })],
    ['in an array in an array', (secret) => withProperty('list', { value: [[[[[[secret]]]]]] })],
    ['thrown as a string', (secret) => secret],
    ['thrown as an object', (secret) => ({ reason: secret })],
    ['in an error that refers to itself', (secret) => {
      const error = new Error('failed', { cause: { secret } });
      return Object.assign(error, { self: error });
    }], // prettier-ignore
  ])('%s', (_name, make) => {
    expect(leaksOf(make)).toEqual(['planted']);
  });

  it('and where it is', () => {
    const secret = canary('planted');
    const text = renderError(new Error('failed', { cause: { headers: new Map([['x', { secret }]]) } }));
    expect(text).toContain(`error.cause.headers.get("x").secret = ${secret}`);
  });

  it.each<[string, unknown]>([
    ['nothing at all', undefined],
    ['null', null],
    ['an error', new Error('failed')],
    ['an object without a prototype', Object.create(null)],
    ['a revoked proxy', (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()], // prettier-ignore
  ])('and none where there is none: %s', (_name, value) => {
    canary('planted');
    expect(findLeaks(renderError(value))).toEqual([]);
  });

  it('but refuses an error that holds on to half the process', () => {
    const error = new Error('failed', { cause: Array.from({ length: 200_000 }, () => ({})) });
    expect(() => renderError(error)).toThrow('more than');
  });
});

describe('snapshotProcess', () => {
  it('holds environment and arguments', () => {
    const secret = canary('environment');
    process.env['CANARY_TEST'] = secret;
    process.argv.push(`--x=${secret}`);
    try {
      expect(findLeaks(snapshotProcess())).toMatchObject([{ name: 'environment' }]);
      process.argv.pop();
      expect(findLeaks(snapshotProcess())).toHaveLength(1);
    } finally {
      delete process.env['CANARY_TEST'];
    }
    expect(findLeaks(snapshotProcess())).toEqual([]);
  });

  it("holds Node's own report, which sees the environment behind the one that Jest shows", () => {
    expect(JSON.parse(snapshotProcess())).toMatchObject({
      report: { header: { componentVersions: {} }, environmentVariables: { PATH: process.env['PATH'] } },
    });
  });
});
