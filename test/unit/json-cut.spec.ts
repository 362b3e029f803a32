import { expect, it } from '@jest/globals';
import { isCutJson } from '../../lib/client/json-cut.js';

const ANSWER = JSON.stringify({
  data: { 'a"}': '\\"', list: [1, [], '[{', { b: null }], text: 'ä\u2028\n' },
  auth: null,
});

it('every beginning of an answer is cut, and the whole one is not', () => {
  for (let end = 1; end < ANSWER.length; end += 1) expect([end, isCutJson(ANSWER.slice(0, end))]).toEqual([end, true]);
  expect(isCutJson(ANSWER)).toBe(false);
  expect(isCutJson(`${ANSWER}\n`)).toBe(false);
});

it.each(['', '<html>', 'nul', '{"data":1,}', '{"a":{}}}', ']', '{"a":1} {"b":2}'])(
  'what is no answer is not: %j',
  (text) => {
    expect(isCutJson(text)).toBe(false);
  },
);

it('the length of a text makes no difference', () => {
  const long = JSON.stringify({ list: Array.from({ length: 20_000 }, (_, index) => `entry ${index}`) });
  expect(isCutJson(`${long.slice(0, -1)},}`)).toBe(false);
  expect(isCutJson(long.slice(0, -1))).toBe(true);
});
