import { expect, it } from '@jest/globals';
import { printable, quoted } from '../../lib/errors/format.js';
import { VaultInvalidOptionError } from '../../lib/index.js';

// CSI, a change of direction, ESC, BEL, a zero-width space, a line separator and a lone surrogate.
const HOSTILE = ['\u009b2J', '\u202e', '\u001b[2J', '\u0007', '\u200b', '\u2028', '\ud800'];

it.each(HOSTILE)('a name with %j is shown in quotes and escaped', (character) => {
  for (const shown of [printable, quoted].map((show) => show(`a${character}b`))) {
    expect(shown).toMatch(/^"[ -~]+"$/);
    expect(JSON.parse(shown)).toBe(`a${character}b`);
  }
});

it('a long name is cut', () => {
  expect(printable('x'.repeat(1_000_000)).length).toBeLessThan(300);
});

it.each(HOSTILE)('no error message contains %j, wherever it is put together', (character) => {
  const { message } = new VaultInvalidOptionError(`Key "a${character}b" of\n  a secret is refused.`);
  expect(message).toMatch(/^[ -~]+\n[ -~]+$/);
});
