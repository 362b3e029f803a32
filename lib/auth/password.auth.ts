import { encodeMount, encodeSegment } from '../client/path.js';
import type { VaultClient } from '../client/vault-client.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { LINE_BREAKS_AT_END, resolveCredential } from './credential.js';
import type { Login, LoginMethod } from './login-method.js';
import { submitLogin } from './submit-login.js';
import type { LdapAuth, UserpassAuth } from './vault-auth.options.js';

/**
 * `userpass` and `ldap`: user name in the path, password in the body. For Vault they differ in nothing but the mount.
 * @internal
 */
export class PasswordLogin implements LoginMethod {
  readonly method: 'userpass' | 'ldap';
  readonly #mountPath: string;

  readonly #options: UserpassAuth | LdapAuth;

  constructor(options: UserpassAuth | LdapAuth) {
    this.#options = options;
    this.method = options.method;
    // Types say so too; but the defaults of `ldap` would be a riddle to somebody who has never heard of it.
    for (const name of ['username', 'password'] as const) {
      if (options.method === 'userpass' && options[name] === undefined)
        throw new VaultInvalidOptionError(`"auth.${name}" is missing; the method "userpass" needs it.`);
    }
    this.#mountPath = encodeMount(options.mountPath ?? options.method, 'auth.mountPath');
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { username, password, namespace } = this.#options;
    const [name, secret] = await Promise.all([
      resolveCredential(username ?? { env: 'LDAP_USERNAME' }, 'auth.username'),
      resolveCredential(password ?? { env: 'LDAP_PASSWORD' }, 'auth.password', LINE_BREAKS_AT_END),
    ]);
    return submitLogin(client, {
      method: this.method,
      mountPath: this.#mountPath,
      path: `login/${encodeSegment(name, 'auth.username')}`,
      body: { password: secret },
      namespace,
      advice: 'Check "auth.username" and "auth.password".',
      signal,
    });
  }
}
