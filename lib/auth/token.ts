import { VaultAuthenticationError } from '../errors/index.js';

/**
 * Refuses what cannot be a token before it is sent: nothing, white space inside, characters that have no place in a
 * header. Length and prefix say nothing: `s.`, `b.`, `hvs.`, UUIDs and custom ids are all tokens.
 *
 * @param source where it came from, for the message
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
