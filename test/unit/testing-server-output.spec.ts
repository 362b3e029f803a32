import { describe, expect, it } from '@jest/globals';
import { ServerOutput } from '../../lib/server/server-command.js';

describe('ServerOutput', () => {
  it('keeps the most recent output', () => {
    const output = new ServerOutput(undefined, 10);
    for (let index = 0; index < 1000; index += 1) output.append(`${index}\n`);
    expect(output.toString()).toBe('\n998\n999\n'.padStart(10, '7'));
  });

  it('returns the last lines for error messages', () => {
    const output = new ServerOutput();
    output.append('one\ntwo\nthr');
    output.append('ee\nfour\n');
    expect(output.tail(2)).toBe('three\nfour');
  });

  it('passes all output to the listener', () => {
    const pieces: string[] = [];
    const output = new ServerOutput((text) => pieces.push(text), 1);
    output.append('one ');
    output.append('two');
    expect(pieces).toEqual(['one ', 'two']);
  });
});
