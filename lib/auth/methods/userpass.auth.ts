import type { Credential } from '../credential.js';
import type { LoginKind } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { needs } from '../login.options.js';
import { PASSWORD_SHAPE, PasswordLogin } from './password-login.js';

/**
 * User name and password kept by Vault.
 * @see https://openbao.org/api-docs/auth/userpass/
 * @publicApi
 */
export interface UserpassAuth extends MountedLoginOptions {
  readonly method: 'userpass';
  readonly username: Credential;
  readonly password: Credential;
}

/** @internal */
export const userpass: LoginKind<UserpassAuth> = {
  shape: PASSWORD_SHAPE,
  create: (auth) => new PasswordLogin('userpass', needs(auth, 'username', 'password')),
};
