import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { Credential } from './auth/credential.js';
import type { VaultAuth } from './auth/login-methods.js';
import type { TlsOptions } from './client/connections/tls.options.js';
import type { VaultRequestOptions } from './client/client-options.js';
import type { VaultConfigOptions } from './config/config.options.js';

/**
 * TLS settings, in PEM. TLS 1.2 is the minimum. Files are checked before each new connection and read again if they
 * have changed. If they cannot be used, for example because the key of a new certificate is still missing, the last
 * good ones stay in use.
 * @publicApi
 */
export interface VaultTlsOptions extends Omit<TlsOptions, 'passphrase'> {
  /** Passphrase of `key`. It is read whenever the key is read. */
  readonly passphrase?: Credential;
}

/**
 * Limits of the boot.
 * @publicApi
 */
export interface VaultBootOptions {
  /**
   * Deadline for everything before the application starts, in milliseconds. Until then, the boot waits for a Vault
   * that is starting: refused connection, unknown host name, sealed, no leader. Default: 30 000.
   */
  readonly timeoutMs?: number;
}

/**
 * What happens on `app.close()`.
 * @publicApi
 */
export interface VaultShutdownOptions {
  /**
   * Whether to revoke the token that the module obtained, and with it every lease created with it. A token that you
   * supplied is never revoked. Default: `true`.
   */
  readonly revoke?: boolean;
  /** Timeout for the revocation, in milliseconds. Default: 2 000. */
  readonly timeoutMs?: number;
}

/**
 * Unseals a sealed server at boot. For development machines and single nodes; production uses auto-unseal.
 * @publicApi
 */
export interface VaultBootUnsealOptions {
  /** Unseal keys, at least as many as the threshold. */
  readonly keys: readonly Credential[];
  /** Servers to unseal, one after the other. Default: all in `endpoint`. */
  readonly endpoints?: readonly string[];
  /** Whether to discard the keys of an unfinished attempt first. Default: `false`. */
  readonly reset?: boolean;
}

/**
 * Options of the module. Connection and login settings that are left out come from the environment: `BAO_…` variables
 * first, then `VAULT_…`.
 * @publicApi
 */
export interface VaultModuleOptions {
  /**
   * `false`: there is no connection and no login, and nothing is read from Vault. `config.load` and references with a
   * default work. Methods of `VaultService` reject with `VaultDisabledError`. Default: `NESTJS_VAULT_ENABLED`, else
   * `true`.
   */
  readonly enabled?: boolean;
  /**
   * Address of the server: scheme, host, port, and the path prefix of a gateway if there is one, without the API path
   * (`/v1`). `unix://` and a path is a socket. A list contains up to 20 servers of one cluster: the active one is
   * used, and another one takes over when it fails. Default: `BAO_AGENT_ADDR`, else `VAULT_AGENT_ADDR`, `BAO_ADDR`,
   * `VAULT_ADDR`.
   */
  readonly endpoint?: string | readonly string[];
  /** Vault namespace of all calls. Default: `BAO_NAMESPACE`, else `VAULT_NAMESPACE`, else none. */
  readonly namespace?: string;
  /**
   * How to log in. Default: the token in `BAO_TOKEN`, else `VAULT_TOKEN`. Without a token: AppRole with the role id
   * and secret id in `BAO_ROLE_ID` and `BAO_SECRET_ID`, else `VAULT_ROLE_ID` and `VAULT_SECRET_ID`.
   */
  readonly auth?: VaultAuth;
  /**
   * Certificate authorities and client certificate. Default: `BAO_CACERT` and the related variables, else `VAULT_…`,
   * else the authorities of the system.
   */
  readonly tls?: VaultTlsOptions;
  /** Deadlines, retries, proxy and limits of calls. */
  readonly request?: VaultRequestOptions;
  /** Limits of the boot. */
  readonly boot?: VaultBootOptions;
  /**
   * The secrets to read into `ConfigService`, and how they stay current. Default: only references and `forFeature()`
   * are read.
   */
  readonly config?: VaultConfigOptions;
  /** What `app.close()` does with the token. */
  readonly shutdown?: VaultShutdownOptions;
  /** Unseals a sealed server before the login. For laptops and single nodes. Default: disabled. */
  readonly unseal?: VaultBootUnsealOptions;
}

/**
 * A class that returns the options, for `useClass` and `useExisting`.
 * @publicApi
 */
export interface VaultOptionsFactory {
  /** Called once, before the application's providers are created. */
  createVaultOptions(): VaultModuleOptions | Promise<VaultModuleOptions>;
}

/**
 * Name and visibility of a `VaultModule` in its application: the second argument of `forRoot()`, and options of
 * `forRootAsync()`.
 * @publicApi
 */
export interface VaultModuleRegistration {
  /** Whether `VaultService` can be injected without importing `VaultModule`. Default: `true`. */
  readonly isGlobal?: boolean;
  /**
   * Distinguishes several modules in one application. The service of a named module is injected with
   * `@InjectVault(name)`, and its configuration namespaces are declared with `vault: name`. Default: none.
   */
  readonly name?: string;
}

/**
 * Options that depend on other providers. Set exactly one of `useFactory`, `useClass` and `useExisting`.
 *
 * They are resolved before the application exists, so everything that is injected must come from `imports`.
 * `ConfigService` is always available; it contains the environment and `.env`.
 * @publicApi
 */
export interface VaultModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'>, VaultModuleRegistration {
  /** Arguments of `useFactory`, in this order. */
  readonly inject?: FactoryProvider['inject'];
  /** Returns the options. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- Nest types factory parameters so; nothing else lets users declare theirs
  readonly useFactory?: (...args: any[]) => VaultModuleOptions | Promise<VaultModuleOptions>;
  /** A class with a method `createVaultOptions()`; an instance of it is created. */
  readonly useClass?: Type<VaultOptionsFactory>;
  /** A provider from `imports` with a method `createVaultOptions()`. */
  readonly useExisting?: Type<VaultOptionsFactory>;
}
