import { readFile } from 'node:fs/promises';
import { VaultAuthenticationError } from '../errors/index.js';
import { failureKind } from '../errors/redact.js';
import { isQuoted, QUOTES_ADVICE } from '../options/environment.js';

/**
 * Source of a credential: the value itself, an environment variable, a file, or a function. It is read again at every
 * login, so that credentials that the platform rotates are picked up. Whitespace around it is removed; from a password
 * only trailing line breaks.
 * @publicApi
 */
export type Credential =
  string | { readonly env: string } | { readonly file: string } | (() => string | Promise<string>);

const MAX_FILE_BYTES = 64 * 1024;

const FILE_ERROR_ADVICE: Record<string, string> = {
  ENOENT: ' There is no such file: check the path, and that the volume is mounted.',
  EACCES: ' This process may not read it: check its owner and mode.',
  EISDIR: ' It is a directory: name the file in it.',
};

/** Line breaks that editors and `echo` write at the end of a file, which are not part of a password. @internal */
export const TRAILING_LINE_BREAKS = /[\r\n]+$/;

/** Checks an option that takes a credential. @internal */
export function checkCredential(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'function') return undefined;
  const { env, file } = (value ?? {}) as { env?: unknown; file?: unknown };
  return (typeof env === 'string') !== (typeof file === 'string')
    ? undefined
    : 'a string, { env }, { file } or a function';
}

/**
 * Reads a credential from its source.
 *
 * @param option the option that contains it, such as `auth.password`, for errors
 * @param padding text to remove
 * @throws VaultAuthenticationError if it is missing or empty; the message names the source, never the value
 * @internal
 */
export async function resolveCredential(
  credential: Credential,
  option: string,
  padding = /^\s+|\s+$/g,
): Promise<string> {
  const value = await fetchCredential(credential, option);
  if (typeof value !== 'string' || value.trim() === '') {
    throw new VaultAuthenticationError(
      `"${option}" is empty: ${describeCredential(credential)} ${describeEmptiness(credential)}.`,
    );
  }
  if (isQuoted(value) && !mayHaveQuotes(credential, option)) {
    throw new VaultAuthenticationError(`"${option}": ${describeCredential(credential)} ${QUOTES_ADVICE}`, {
      reason: 'quotes',
    });
  }
  return value.replace(padding, '');
}

/**
 * Whether quotes may be part of a credential. They may be in a password and in a user name that is not from the environment,
 * but never in tokens, ids and keys.
 */
function mayHaveQuotes(credential: Credential, option: string): boolean {
  if (option === 'auth.password') return true;
  return option === 'auth.username' && !(typeof credential === 'object' && 'env' in credential);
}

/**
 * Describes the source of a credential without its value. A name that does not look like a variable or file is not quoted: it
 * may be the credential itself in the wrong place.
 * @internal
 */
export function describeCredential(credential: Credential): string {
  if (typeof credential === 'string') return 'the value given in the options';
  if (typeof credential === 'function') return 'the function given in the options';
  if ('env' in credential) {
    const { env } = credential;
    return /^[A-Z_][A-Z0-9_]*$/.test(env)
      ? `environment variable ${env}`
      : 'the environment variable named in the options';
  }
  const { file } = credential;
  return /^(\.{0,2}[\\/]|[A-Z]:[\\/])/i.test(file) ? `file ${JSON.stringify(file)}` : 'the file named in the options';
}

function variableMissing(credential: { readonly env: string }, option: string): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `"${option}": ${describeCredential(credential)} is not set. Set it, or give "${option}" in the options.`,
  );
}

/**
 * Returns an error for each credential whose environment variable is not set.
 *
 * @param options the value of the option, searched at any depth
 * @internal
 */
export function missingVariables(options: unknown, option: string): VaultAuthenticationError[] {
  if (typeof options !== 'object' || options === null) return [];
  if ('env' in options && typeof options.env === 'string' && Object.keys(options).length === 1) {
    const { env } = options;
    return process.env[env] === undefined ? [variableMissing({ env }, option)] : [];
  }
  return Object.entries(options).flatMap(([name, inner]) => missingVariables(inner, `${option}.${name}`));
}

/** Names of environment variables in options, as in `{ env: 'NAME' }`, at any depth. @internal */
export function variablesNamedIn(options: unknown): string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const queue = [options];
  while (queue.length > 0) {
    const value = queue.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if ('env' in value && typeof value.env === 'string') found.push(value.env);
    queue.push(...Object.values(value as Record<string, unknown>));
  }
  return found;
}

function describeEmptiness(credential: Credential): string {
  if (typeof credential === 'function') return 'returned no text';
  return typeof credential === 'object' && 'env' in credential ? 'is set but empty' : 'is empty';
}

async function fetchCredential(credential: Credential, option: string): Promise<string> {
  if (typeof credential === 'string') return credential;
  if (typeof credential === 'function') {
    try {
      return await credential();
    } catch (error) {
      // The message may contain a secret, so only the kind of error is reported.
      throw new VaultAuthenticationError(`"${option}": the function that supplies it failed (${failureKind(error)}).`);
    }
  }
  if ('env' in credential) {
    const value = process.env[credential.env];
    if (value !== undefined) return value;
    throw variableMissing(credential, option);
  }
  let content: Buffer;
  try {
    content = await readFile(credential.file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new VaultAuthenticationError(
      `"${option}": cannot read ${describeCredential(credential)} (${reason}).${FILE_ERROR_ADVICE[reason] ?? ''}`,
      { reason },
    );
  }
  if (content.length > MAX_FILE_BYTES) {
    throw new VaultAuthenticationError(
      `"${option}": ${describeCredential(credential)} is larger than ${MAX_FILE_BYTES} bytes; it is not a credential.`,
    );
  }
  return content.toString('utf8');
}
