import type { Credential } from '../credential.js';
import type { LoginKind } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { PASSWORD_SHAPE, PasswordLogin } from './password-login.js';

/**
 * User name and password checked against a directory.
 * @see https://openbao.org/api-docs/auth/ldap/
 * @publicApi
 */
export interface LdapAuth extends MountedLoginOptions {
  readonly method: 'ldap';
  /** Default: environment variable `LDAP_USERNAME`. */
  readonly username?: Credential;
  /** Default: environment variable `LDAP_PASSWORD`. */
  readonly password?: Credential;
}

/** @internal */
export const ldap: LoginKind<LdapAuth, 'username' | 'password'> = {
  shape: PASSWORD_SHAPE,
  defaults: { username: { env: 'LDAP_USERNAME' }, password: { env: 'LDAP_PASSWORD' } },
  create: (auth) => new PasswordLogin('ldap', auth),
};
