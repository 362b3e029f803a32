import { VaultInvalidOptionError } from '../../../errors/index.js';

/**
 * The address of a service, to which a path is added. It is not quoted in errors: it may hold a password.
 *
 * @param what the option or environment variable it comes from
 * @throws VaultInvalidOptionError
 * @internal
 */
export function checkAddress(value: string, what: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.host !== '' && url.username === '' && url.password === '')
    return url;
  throw new VaultInvalidOptionError(
    `${what} is not an address such as "http://169.254.169.254": scheme, host and port, without user name and password.`,
  );
}

/** A path below an address, with query parameters; those that are `undefined` are left out. @internal */
export function below(address: URL, path: string, query: Readonly<Record<string, string | undefined>> = {}): URL {
  const url = new URL(address.href.replace(/[?#].*$/, '').replace(/\/+$/, '') + path);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}
