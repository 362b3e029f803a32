import { VaultAuthenticationError } from '../errors/index.js';

/**
 * Asserts that a text can be a token: not empty, without white space and characters that a header cannot contain. Any length
 * and prefix is valid: `s.`, `b.`, `hvs.`, UUIDs and custom ids.
 *
 * @param source where the token came from, for errors
 * @throws VaultAuthenticationError without the token
 * @internal
 */
export function checkToken(token: string, source: string): string {
  if (token === '') throw new VaultAuthenticationError(`The token from ${source} is empty.`);
  if (/\s/.test(token))
    throw new VaultAuthenticationError(
      `The token from ${source} has white space in it. Check for a line break or a second value.`,
    );
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new VaultAuthenticationError(
      `The token from ${source} has characters no token has. Check how it was copied or decoded.`,
    );
  return token;
}
