import type { Credential } from '../credential.js';
import type { LoginKind } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { needs } from '../login.options.js';
import { PASSWORD_SHAPE, PasswordLogin } from './password-login.js';

/**
 * User name and password checked by a RADIUS server.
 * @see https://openbao.org/api-docs/auth/radius/
 * @publicApi
 */
export interface RadiusAuth extends MountedLoginOptions {
  readonly method: 'radius';
  readonly username: Credential;
  readonly password: Credential;
}

/** @internal */
export const radius: LoginKind<RadiusAuth> = {
  shape: PASSWORD_SHAPE,
  create: (auth) => new PasswordLogin('radius', needs(auth, 'username', 'password')),
};
