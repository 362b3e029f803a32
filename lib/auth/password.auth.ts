import { encodeMount, encodeSegment } from '../client/path.js';
import type { VaultClient } from '../client/vault-client.js';
import { resolveCredential } from './credential.js';
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
    this.#mountPath = encodeMount(options.mountPath ?? options.method, 'auth.mountPath');
  }

  async login(client: VaultClient, signal?: AbortSignal): Promise<Login> {
    const { username, password, namespace } = this.#options;
    const [name, secret] = await Promise.all([
      resolveCredential(username ?? { env: 'LDAP_USERNAME' }, 'auth.username'),
      resolveCredential(password ?? { env: 'LDAP_PASSWORD' }, 'auth.password'),
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
