/**
 * Something in PEM form: the text or bytes themselves, or the file they are in. Files are read again when they change.
 * @publicApi
 */
export type VaultPem = string | Uint8Array | { readonly file: string };

/** TLS towards Vault, in PEM. TLS 1.2 is the minimum. @internal */
export interface TlsOptions {
  /**
   * Certificate authorities to trust instead of the system's; `{ directory }` takes the certificates of all files in it.
   * Default: `VAULT_CACERT` (a file), else `VAULT_CACERT_BYTES`, else `VAULT_CAPATH` (a directory), else the system's.
   */
  readonly ca?: VaultPem | { readonly directory: string } | readonly VaultPem[];
  /** Client certificate, intermediates behind it; comes with `key`. Default: `VAULT_CLIENT_CERT`, else `VAULT_CLIENT_CERT_BYTES`. */
  readonly cert?: VaultPem;
  /** Private key of the client certificate. Default: `VAULT_CLIENT_KEY`, else `VAULT_CLIENT_KEY_BYTES`. */
  readonly key?: VaultPem;
  /** Passphrase of `key`, asked whenever the key is read. */
  readonly passphrase?: string | (() => string | Promise<string>);
  /** Name expected in the server's certificate. Default: `VAULT_TLS_SERVER_NAME`, else the endpoint's host. */
  readonly serverName?: string;
  /** `false` accepts any certificate: for laptops only. Default: `true`, unless `VAULT_SKIP_VERIFY` is set. */
  readonly rejectUnauthorized?: boolean;
}
