import { encodeSegment } from '../../client/path.js';
import { isQuoted } from '../../options/environment.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { Credential } from '../credential.js';
import { LINE_BREAKS_AT_END, checkCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod } from '../login-method.js';
import type { MountedLoginOptions } from '../login.options.js';
import { MOUNTED, mountOf } from '../login.options.js';
import { submitLogin } from '../submit-login.js';

/** Checks for the options of every method with user name and password. @internal */
export const PASSWORD_SHAPE = { ...MOUNTED, username: checkCredential, password: checkCredential };

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
    this.#mountPath = mountOf(method, options);
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { username, password } = this.#options;
    const further: Record<string, string> = {};
    for (const [name, value] of Object.entries(this.#further))
      further[name] = await resolveCredential(value, `auth.${name}`);
    const [name, secret] = await Promise.all([
      resolveCredential(username, 'auth.username'),
      resolveCredential(password, 'auth.password', LINE_BREAKS_AT_END),
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
