import type { Credential } from './credential.js';

/** What every login method takes. */
interface LoginOptions {
  /** Namespace to log in to, when it is not the one secrets are read from. Default: the module's `namespace`. */
  readonly namespace?: string;
}

/**
 * An existing token. It is looked up at boot, and never revoked by this module.
 * @publicApi
 */
export interface TokenAuth extends LoginOptions {
  readonly method: 'token';
  /** Default: `BAO_TOKEN`, else `VAULT_TOKEN`. */
  readonly token?: Credential;
}

/**
 * User name and password kept by Vault.
 * @see https://openbao.org/api-docs/auth/userpass/
 * @publicApi
 */
export interface UserpassAuth extends LoginOptions {
  readonly method: 'userpass';
  readonly username: Credential;
  readonly password: Credential;
  /** Default: `userpass`. */
  readonly mountPath?: string;
}

/**
 * User name and password checked against a directory.
 * @see https://openbao.org/api-docs/auth/ldap/
 * @publicApi
 */
export interface LdapAuth extends LoginOptions {
  readonly method: 'ldap';
  /** Default: environment variable `LDAP_USERNAME`. */
  readonly username?: Credential;
  /** Default: environment variable `LDAP_PASSWORD`. */
  readonly password?: Credential;
  /** Default: `ldap`. */
  readonly mountPath?: string;
}

/**
 * A secret id that arrives response-wrapped. It is unwrapped once and kept for later logins.
 * @publicApi
 */
export interface WrappedSecretId {
  /** The wrapping token. */
  readonly wrapped: Credential;
}

/**
 * A secret id that the module fetches for itself with a bootstrap token ("pull").
 * @publicApi
 */
export interface PulledSecretId {
  /** Token that may update `auth/<mount>/role/<roleName>/secret-id` and read the role id. It is never revoked. */
  readonly token: Credential;
  readonly roleName: string;
}

/**
 * Role id and secret id, Vault's method for machines.
 * @see https://openbao.org/api-docs/auth/approle/
 * @publicApi
 */
export interface AppRoleAuth extends LoginOptions {
  readonly method: 'approle';
  /** Needed, except with `PulledSecretId`, where it is fetched when absent. */
  readonly roleId?: Credential;
  /** Left out for roles with `bind_secret_id=false`. */
  readonly secretId?: Credential | WrappedSecretId | PulledSecretId;
  /** Default: `approle`. */
  readonly mountPath?: string;
}

/**
 * How to log in, told apart by `method`.
 * @publicApi
 */
export type VaultAuth = TokenAuth | UserpassAuth | LdapAuth | AppRoleAuth;
