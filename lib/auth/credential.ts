import { readFile } from 'node:fs/promises';
import { VaultAuthenticationError } from '../errors/index.js';
import { redact } from '../errors/redact.js';

/**
 * Where a credential comes from: the value itself, an environment variable, a file, or a function. It is asked again at
 * every login, so that what the platform rotates is picked up; white space around it is cut off.
 * @publicApi
 */
export type Credential =
  string | { readonly env: string } | { readonly file: string } | (() => string | Promise<string>);

const LONGEST_FILE = 64 * 1024;

/**
 * Fetches a credential.
 *
 * @param option the option it was given in, such as `auth.password`; named in errors
 * @throws VaultAuthenticationError when there is none; the message names the source, never the value
 * @internal
 */
export async function resolveCredential(credential: Credential, option: string): Promise<string> {
  const value = await fetchCredential(credential, option);
  if (typeof value !== 'string' || value.trim() === '') {
    throw new VaultAuthenticationError(`"${option}" is empty: ${describeCredential(credential)} holds nothing.`);
  }
  return value.trim();
}

/** Names the source of a credential without its value. @internal */
export function describeCredential(credential: Credential): string {
  if (typeof credential === 'string') return 'the value given in the options';
  if (typeof credential === 'function') return 'the function given in the options';
  return 'env' in credential ? `environment variable ${credential.env}` : `file ${JSON.stringify(credential.file)}`;
}

async function fetchCredential(credential: Credential, option: string): Promise<string> {
  if (typeof credential === 'string') return credential;
  if (typeof credential === 'function') {
    try {
      return await credential();
    } catch (error) {
      // The message is the user's own and may hold anything, so only the kind of error is told.
      const kind = error instanceof Error ? redact(error.name) : typeof error;
      throw new VaultAuthenticationError(`"${option}": the function that supplies it failed (${kind}).`);
    }
  }
  if ('env' in credential) {
    const value = process.env[credential.env];
    if (value !== undefined) return value;
    throw new VaultAuthenticationError(
      `"${option}": environment variable ${credential.env} is not set. Set it, or give "${option}" in the options.`,
    );
  }
  let content: Buffer;
  try {
    content = await readFile(credential.file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new VaultAuthenticationError(
      `"${option}": cannot read file ${JSON.stringify(credential.file)} (${reason}).`,
      { reason },
    );
  }
  if (content.length > LONGEST_FILE) {
    throw new VaultAuthenticationError(
      `"${option}": file ${JSON.stringify(credential.file)} is larger than ${LONGEST_FILE} bytes; it is not a credential.`,
    );
  }
  return content.toString('utf8');
}
