import { expect, it } from '@jest/globals';
import { isTruncatedJson } from '../../lib/client/attempt.js';

const RESPONSE = JSON.stringify({
  data: { 'a"}': '\\"', list: [1, [], '[{', { b: null }], text: 'ä\u2028\n' },
  auth: null,
});

it('every beginning of a response is truncated, and the whole one is not', () => {
  for (let end = 1; end < RESPONSE.length; end += 1)
    expect([end, isTruncatedJson(RESPONSE.slice(0, end))]).toEqual([end, true]);
  expect(isTruncatedJson(RESPONSE)).toBe(false);
  expect(isTruncatedJson(`${RESPONSE}\n`)).toBe(false);
});

it.each(['', '<html>', 'nul', '{"data":1,}', '{"a":{}}}', ']', '{"a":1} {"b":2}'])(
  'a text that is not the beginning of JSON is not truncated: %j',
  (text) => {
    expect(isTruncatedJson(text)).toBe(false);
  },
);

it('the length of a text does not matter', () => {
  const long = JSON.stringify({ list: Array.from({ length: 20_000 }, (_, index) => `entry ${index}`) });
  expect(isTruncatedJson(`${long.slice(0, -1)},}`)).toBe(false);
  expect(isTruncatedJson(long.slice(0, -1))).toBe(true);
});
