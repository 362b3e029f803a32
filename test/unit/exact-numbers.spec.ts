import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { inexactNumbers, mayHoldInexactNumber } from '../../lib/client/exact-numbers.js';

/** As `assertExactNumbers` proceeds: nothing is searched unless the fast test says so. */
const found = (text: string, part: readonly string[] = ['data']): string[] =>
  mayHoldInexactNumber(text) ? inexactNumbers(text, part) : [];

describe('a number that JavaScript alters is found', () => {
  it.each([
    '9007199254740993',
    '-9007199254740993',
    '1234567890123456789',
    '-1001234567890123456',
    '18446744073709551615',
    '1152921504606846976',
    '9007199254740993.0',
    '90071992547409930e-1',
    '1e23',
    '1E+400',
    '-1e400',
    '1e-400',
    '-4.9e-325',
    '0.1234567890123456789',
    '3.14159265358979323846',
  ])('%s', (number) => {
    expect(found(`{"data":{"ACCOUNT":${number}}}`)).toEqual(['ACCOUNT']);
    expect(found(`{ "data" : { "list" : [1, ${number}\n] } }`)).toEqual(['list.1']);
    expect(found(`{"data":[${number}]}`)).toEqual(['0']);
  });

  it('with more digits than any double has', () => {
    expect(found(`{"data":[1${'0'.repeat(500)},0.${'0'.repeat(500)}1]}`)).toEqual(['0', '1']);
  });
});

it.each([
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '1.50',
    '0.1',
    '1e3',
    '1E+3',
    '1.5e10',
    '0e999',
    '0.0',
    '5e-324',
    '2.2250738585072014e-308',
  ],
  ...['9007199254740991', '-9007199254740991', '9007199254740991.000', '900719925474099.1e1', '1.7976931348623157e-5'],
  ...['0.30000000000000004', '1727712000.123456', '"12345678901234567890"', '"x: 1e400"', '"\\\\\\": 1e400"'],
])('%s is left alone', (number) => {
  expect(found(`{"data":{"KEY":${number}}}`)).toEqual([]);
});

it('what is beside the part asked for may be any number, and the last of equal names counts', () => {
  expect(found('{"lease_duration":9223372036854775807,"data":{"a":1}}')).toEqual([]);
  expect(found('{"data":{"a":9223372036854775807,"a":"text"}}')).toEqual([]);
  expect(found('{"data":{"a":"text","a":9223372036854775807,"__proto__":1e999}}')).toEqual(['a', '__proto__']);
});

it('nesting, length and number of what is searched are no obstacle', () => {
  const deep = 200_000;
  expect(found(`{"data":${'['.repeat(deep)}1e400${']'.repeat(deep)}}`)).toHaveLength(1);
  expect(found(`{"data":{"text":"${'\\n'.repeat(2_000_000)}","a":1e400}}`)).toEqual(['a']);
  expect(found(`{"data":{"list":[${'1e400,'.repeat(100_000)}1]}}`).length).toBeLessThan(10);
});

describe('any JSON', () => {
  /** A number as any encoder may write it. */
  const number = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.nat()).map(String),
      fc.option(fc.stringMatching(/^\d{1,25}$/), { nil: undefined }),
      fc.option(
        fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), fc.nat(420)).map(([e, power]) => e + String(power)),
        { nil: undefined },
      ),
    )
    .map(([sign, whole, fraction, power]) => sign + whole + (fraction ? `.${fraction}` : '') + (power ?? ''));

  /** Numerator and denominator of a decimal number, worked out without any double. */
  const fractionOf = (text: string): [bigint, bigint] => {
    const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
    const [whole = '', fraction = ''] = mantissa.split('.');
    const exponent = Number(power) - fraction.length;
    const digits = BigInt(whole + fraction);
    return exponent >= 0 ? [digits * 10n ** BigInt(exponent), 1n] : [digits, 10n ** BigInt(-exponent)];
  };
  const isSame = (a: string, b: string): boolean => {
    const [[a1, a2], [b1, b2]] = [fractionOf(a), fractionOf(b)];
    return a1 * b2 === b1 * a2;
  };

  it('keeps a number exactly or has it found, wherever it stands', () => {
    const strings = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(number, strings, strings, fc.json(), (text, key, other, json) => {
        const value = Number(text);
        const named = JSON.stringify(key);
        const body = `{"x":${json},"data":{"before":${JSON.stringify(other)},"o":{${named}:${text}}}}`;
        const names = found(body);
        if (names.length > 0) {
          expect(names).toEqual([`o.${key}`]);
          expect(Number.isSafeInteger(value) && isSame(text, String(value))).toBe(false);
        } else {
          expect(Number.isFinite(value)).toBe(true);
          expect(isSame(text, String(value))).toBe(true);
          if (Number.isInteger(value)) expect(Number.isSafeInteger(value)).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('written by JavaScript is taken, unless it holds a whole number beyond 2^53', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
        fc.maxSafeInteger(),
        fc.json({ noUnicodeString: false }),
        (fraction, integer, json) => {
          fc.pre(!/\d{16}|e\+/.test(json));
          expect(found(JSON.stringify({ data: { fraction, integer, json: JSON.parse(json) as unknown } }))).toEqual([]);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
