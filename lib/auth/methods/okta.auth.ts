import type { Credential } from '../credential.js';
import { checkCredential } from '../credential.js';
import type { LoginKind } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { needs } from '../login.options.js';
import { PASSWORD_SHAPE, PasswordLogin } from './password-login.js';

/**
 * User name and password checked by Okta (Vault only; OpenBao has no such method). When Okta wants a push confirmed on a
 * phone, the login waits for it, no longer than `request.timeoutMs`.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/okta
 * @publicApi
 */
export interface OktaAuth extends MountedLoginOptions {
  readonly method: 'okta';
  readonly username: Credential;
  readonly password: Credential;
  /** Passcode for Okta's own second factor. Default: Okta is asked for a push. */
  readonly totp?: Credential;
  /** Whose passcode it is. Default: Vault tries what the user has enrolled. */
  readonly provider?: 'GOOGLE' | 'OKTA';
}

/** @internal */
export const okta: LoginKind<OktaAuth> = {
  shape: {
    ...PASSWORD_SHAPE,
    totp: checkCredential,
    provider: (value) => (value === 'GOOGLE' || value === 'OKTA' ? undefined : '"GOOGLE" or "OKTA"'),
  },
  create: (auth) => {
    const { totp, provider, ...rest } = needs(auth, 'username', 'password');
    return new PasswordLogin('okta', rest, {
      ...(totp !== undefined && { totp }),
      ...(provider !== undefined && { provider }),
    });
  },
};
