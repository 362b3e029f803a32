import { encodeSegment } from '../../client/path.js';
import type { Requester } from '../../client/vault-client.js';
import { isQuoted } from '../../options/environment.js';
import type { Credential } from '../credential.js';
import { TRAILING_LINE_BREAKS, checkCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, requireOptions } from '../login.js';
import { submitLogin } from '../submit-login.js';

/** Checks for the options of every method with user name and password. @internal */
export const PASSWORD_SHAPE = { ...MOUNTED_LOGIN_OPTIONS, username: checkCredential, password: checkCredential };

/** What the methods with user name and password differ in. @internal */
export interface PasswordLoginOptions extends MountedLoginOptions {
  readonly username: Credential;
  readonly password: Credential;
}

/**
 * User name in the path, password in the body. For Vault `userpass`, `ldap`, `radius` and `okta` differ in little else.
 * @internal
 */
export class PasswordLogin implements LoginMethod {
  readonly method: string;
  readonly #options: PasswordLoginOptions;
  readonly #mountPath: string;

  readonly #further: Readonly<Record<string, Credential>>;

  /** @param further what else goes into the body */
  constructor(method: string, options: PasswordLoginOptions, further: Readonly<Record<string, Credential>> = {}) {
    this.method = method;
    this.#further = further;
    this.#options = options;
    this.#mountPath = authMountPath(method, options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { username, password } = this.#options;
    const further: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.#further))
      further[name] = await resolveCredential(value, `auth.${name}`);
    const [name, secret] = await Promise.all([
      resolveCredential(username, 'auth.username'),
      resolveCredential(password, 'auth.password', TRAILING_LINE_BREAKS),
    ]);
    return submitLogin(client, {
      method: this.method,
      mountPath: this.#mountPath,
      path: `login/${encodeSegment(name, 'auth.username')}`,
      body: { ...further, password: secret },
      options: this.#options,
      advice: `Check "auth.username" and "auth.password".${isQuoted(secret) ? ` The password has quotes around it: "docker run --env-file" keeps quotes as part of the value.` : ''}`,
      signal,
    });
  }
}

/**
 * User name and password, stored in Vault.
 * @see https://openbao.org/api-docs/auth/userpass/
 * @publicApi
 */
export interface UserpassAuth extends MountedLoginOptions {
  readonly method: 'userpass';
  readonly username: Credential;
  readonly password: Credential;
}

/** @internal */
export const userpass: LoginMethodDefinition<UserpassAuth> = {
  shape: PASSWORD_SHAPE,
  create: (auth) => new PasswordLogin('userpass', requireOptions(auth, 'username', 'password')),
};

/**
 * User name and password, checked by an LDAP directory.
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
export const ldap: LoginMethodDefinition<LdapAuth, 'username' | 'password'> = {
  shape: PASSWORD_SHAPE,
  defaults: { username: { env: 'LDAP_USERNAME' }, password: { env: 'LDAP_PASSWORD' } },
  create: (auth) => new PasswordLogin('ldap', auth),
};

/**
 * User name and password, checked by a RADIUS server.
 * @see https://openbao.org/api-docs/auth/radius/
 * @publicApi
 */
export interface RadiusAuth extends MountedLoginOptions {
  readonly method: 'radius';
  readonly username: Credential;
  readonly password: Credential;
}

/** @internal */
export const radius: LoginMethodDefinition<RadiusAuth> = {
  shape: PASSWORD_SHAPE,
  create: (auth) => new PasswordLogin('radius', requireOptions(auth, 'username', 'password')),
};

/**
 * User name and password, checked by Okta. Vault only; OpenBao has no such method. If a push notification has to be
 * confirmed, the login waits for it, at most `request.timeoutMs`.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/okta
 * @publicApi
 */
export interface OktaAuth extends MountedLoginOptions {
  readonly method: 'okta';
  readonly username: Credential;
  readonly password: Credential;
  /** Passcode for Okta's own second factor. Default: Okta sends a push notification. */
  readonly totp?: Credential;
  /** Provider of the passcode. Default: Vault tries the factors that the user has enrolled. */
  readonly provider?: 'GOOGLE' | 'OKTA';
}

/** @internal */
export const okta: LoginMethodDefinition<OktaAuth> = {
  shape: {
    ...PASSWORD_SHAPE,
    totp: checkCredential,
    provider: (value) => (value === 'GOOGLE' || value === 'OKTA' ? undefined : '"GOOGLE" or "OKTA"'),
  },
  create: (auth) => {
    const { totp, provider, ...rest } = requireOptions(auth, 'username', 'password');
    return new PasswordLogin('okta', rest, {
      ...(totp !== undefined && { totp }),
      ...(provider !== undefined && { provider }),
    });
  },
};
