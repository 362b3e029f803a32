import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Credential } from './auth/credential.js';
import type { VaultAuth } from './auth/login-methods.js';
import type { TlsOptions } from './client/connections/tls.options.js';
import type { VaultRequestOptions } from './client/client-options.js';
import type { VaultConfigOptions } from './config/config.options.js';

/**
 * TLS towards Vault, in PEM; 1.2 is the minimum. Files are looked at before each new connection and read again when they
 * have changed. What cannot be used then, such as a new certificate whose key is not there yet, changes nothing: the last
 * good ones stay in use.
 * @publicApi
 */
export interface VaultTlsOptions extends Omit<TlsOptions, 'passphrase'> {
  /** Passphrase of `key`, asked whenever the key is read. */
  readonly passphrase?: Credential;
}

/**
 * Limits of the boot.
 * @publicApi
 */
export interface VaultBootOptions {
  /**
   * Deadline of everything that happens before the application starts, in milliseconds. A boot waits so long for a Vault that
   * is only starting: refused connection, unknown name, sealed, no leader. Default: 30 000.
   */
  readonly timeoutMs?: number;
}

/**
 * What happens on `app.close()`.
 * @publicApi
 */
export interface VaultShutdownOptions {
  /** Revoke the token this module obtained, and with it every lease made with it. A token you supplied is never revoked. Default: `true`. */
  readonly revoke?: boolean;
  /** How long revoking may take, in milliseconds. Default: 2 000. */
  readonly timeoutMs?: number;
}

/**
 * Unseals a sealed server at boot. For development machines and single nodes; production uses auto-unseal.
 * @publicApi
 */
export interface VaultBootUnsealOptions {
  /** Unseal keys; at least the threshold. */
  readonly keys: readonly Credential[];
  /** Servers to unseal, one after the other. Default: all in `endpoint`. */
  readonly endpoints?: readonly string[];
  /** Throw away keys of an unfinished attempt first. Default: `false`. */
  readonly reset?: boolean;
}

/**
 * Options of the module. What is left out comes from the environment: `BAO_…` first, then `VAULT_…`.
 * @publicApi
 */
export interface VaultModuleOptions {
  /**
   * `false`: no connection, no login, and nothing is read from Vault. `config.load` and references with a default work, methods
   * of `VaultService` reject with `VaultDisabledError`. Default: `NESTJS_VAULT_ENABLED`, else `true`.
   */
  readonly enabled?: boolean;
  /**
   * Scheme, host and port of the server, and a path prefix where a gateway has one, without the API path (`/v1`); or a list with
   * all servers of one cluster: then one that works is found, the active one if it can be, and another one takes over when it
   * fails. Or `unix://` and the path of a socket.
   * Default: `BAO_AGENT_ADDR`, else `VAULT_AGENT_ADDR`, `BAO_ADDR`, `VAULT_ADDR`.
   */
  readonly endpoint?: string | readonly string[];
  /** Vault namespace of all calls. Default: `BAO_NAMESPACE`, else `VAULT_NAMESPACE`, else none. */
  readonly namespace?: string;
  /**
   * How to log in. Default: the token in `BAO_TOKEN`, else `VAULT_TOKEN`; without one, AppRole with the role id and secret
   * id in `BAO_ROLE_ID` and `BAO_SECRET_ID`, else `VAULT_ROLE_ID` and `VAULT_SECRET_ID`.
   */
  readonly auth?: VaultAuth;
  /** Authorities and client certificate. Default: from `BAO_CACERT` and the like, else `VAULT_…`, else the system's authorities. */
  readonly tls?: VaultTlsOptions;
  /** Deadlines, repetitions, proxy and limits of calls. */
  readonly request?: VaultRequestOptions;
  /** Limits of the boot. */
  readonly boot?: VaultBootOptions;
  /** What is read into `ConfigService`, and how it stays current. Default: nothing but references and `forFeature()`. */
  readonly config?: VaultConfigOptions;
  /** What `app.close()` does to the token. */
  readonly shutdown?: VaultShutdownOptions;
  /** Opens a sealed server before logging in. Default: nobody does. */
  readonly unseal?: VaultBootUnsealOptions;
}

/**
 * A class that makes the options, for `useClass` and `useExisting`.
 * @publicApi
 */
export interface VaultOptionsFactory {
  /** Called once, before the application's providers are created. */
  createVaultOptions(): VaultModuleOptions | Promise<VaultModuleOptions>;
}

/**
 * How a `VaultModule` is known in its application.
 * @publicApi
 */
export interface VaultModuleRegistration {
  /** Whether `VaultService` is there without importing `VaultModule`. Default: `true`. */
  readonly isGlobal?: boolean;
  /**
   * Tells several modules in one application apart. The service of a module with a name is injected with
   * `@InjectVault(name)`, its configuration namespaces are declared with `vault: name`. Default: none.
   */
  readonly name?: string;
}

/**
 * Options that depend on other providers. Exactly one of `useFactory`, `useClass`, `useExisting`.
 *
 * They are resolved before the application exists, in a context of their own: what is injected must come from
 * `imports`. `ConfigService` is always there; it sees the environment and `.env`.
 * @publicApi
 */
export interface VaultModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'>, VaultModuleRegistration {
  /** What `useFactory` is given, in this order. */
  readonly inject?: FactoryProvider['inject'];
  /** Makes the options from what `inject` names. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Nest types factory parameters so; nothing else lets users declare theirs
  readonly useFactory?: (...args: any[]) => VaultModuleOptions | Promise<VaultModuleOptions>;
  /** A class that makes the options; an instance of it is made for this. */
  readonly useClass?: Type<VaultOptionsFactory>;
  /** A provider of `imports` that makes the options. */
  readonly useExisting?: Type<VaultOptionsFactory>;
}
