import { VaultInvalidOptionError } from '../errors/index.js';
import { AppRoleLogin } from './approle.auth.js';
import type { LoginMethod } from './login-method.js';
import { PasswordLogin } from './password.auth.js';
import { TokenLogin } from './token.auth.js';
import type { VaultAuth } from './vault-auth.options.js';

const METHODS: { readonly [M in VaultAuth['method']]: (auth: Extract<VaultAuth, { method: M }>) => LoginMethod } = {
  approle: (auth) => new AppRoleLogin(auth),
  ldap: (auth) => new PasswordLogin(auth),
  token: (auth) => new TokenLogin(auth),
  userpass: (auth) => new PasswordLogin(auth),
};

/** The login method for the `auth` option. @throws VaultInvalidOptionError for a method that does not exist @internal */
export function createLoginMethod(auth: VaultAuth): LoginMethod {
  const create = Object.hasOwn(METHODS, auth.method)
    ? (METHODS[auth.method] as (auth: VaultAuth) => LoginMethod)
    : undefined;
  if (create) return create(auth);
  // Repeated only when it looks like the name of a method, and not like a token in the wrong place.
  const { method } = auth as { readonly method?: unknown };
  const shown = typeof method === 'string' && /^[a-z-]{1,20}$/.test(method) ? JSON.stringify(method) : 'not one';
  throw new VaultInvalidOptionError(
    `"auth.method" is ${method === undefined ? 'missing' : shown}. Known methods: ${Object.keys(METHODS).join(', ')}.`,
  );
}
