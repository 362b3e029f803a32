/**
 * PEM data: the text or bytes, or the file that contains them. Files are read again when they change.
 * @publicApi
 */
export type VaultPem = string | Uint8Array | { readonly file: string };

/** TLS towards Vault, in PEM. TLS 1.2 is the minimum. @publicApi */
export interface TlsOptions {
  /**
   * Certificate authorities to trust instead of those of the system. `{ directory }` loads the certificates of all
   * files in it. Default: `VAULT_CACERT` (a file), else `VAULT_CACERT_BYTES`, else `VAULT_CAPATH` (a directory), else
   * those of the system.
   */
  readonly ca?: VaultPem | { readonly directory: string } | readonly VaultPem[];
  /**
   * Client certificate, followed by its intermediates. Requires `key`. Default: `VAULT_CLIENT_CERT`, else
   * `VAULT_CLIENT_CERT_BYTES`.
   */
  readonly cert?: VaultPem;
  /** Private key of the client certificate. Default: `VAULT_CLIENT_KEY`, else `VAULT_CLIENT_KEY_BYTES`. */
  readonly key?: VaultPem;
  /** Passphrase of `key`. It is read whenever the key is read. */
  readonly passphrase?: string | (() => string | Promise<string>);
  /**
   * Name that the server's certificate must contain. Default: `VAULT_TLS_SERVER_NAME`, else the host of the endpoint.
   */
  readonly serverName?: string;
  /**
   * `false` accepts any certificate, and the boot logs a warning. For laptops only. Default: `true`, unless
   * `VAULT_SKIP_VERIFY` is set.
   */
  readonly rejectUnauthorized?: boolean;
}
