import { checkCredential, LINE_BREAKS_AT_END, resolveCredential } from '../auth/credential.js';
import { TlsFiles } from '../client/connections/tls-files.js';
import type { TlsOptions } from '../client/connections/tls.options.js';
import type { VaultTlsOptions } from '../vault.options.js';
import type { Shape } from '../options/check-options.js';
import { is } from '../options/check-options.js';
import { fromEnvironment, VARIABLES } from '../options/environment.js';

const pem = (value: unknown): string | undefined =>
  (typeof value === 'string' && value !== '') || value instanceof Uint8Array || isOneString(value, 'file')
    ? undefined
    : 'PEM text, its bytes, or { file }';

function isOneString(value: unknown, name: string): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false;
  const text = (value as Record<string, unknown>)[name];
  return typeof text === 'string' && text !== '';
}

const authorities = (value: unknown): string | undefined => {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length > 0 && all.every((one) => pem(one) === undefined)) return undefined;
  return isOneString(value, 'directory')
    ? undefined
    : 'PEM text, its bytes, { file }, a list of these, or { directory }';
};

/** @internal */
export const TLS_SHAPE: Shape = {
  ca: authorities,
  cert: pem,
  key: pem,
  passphrase: checkCredential,
  serverName: is('string'),
  rejectUnauthorized: is('boolean'),
};

/**
 * TLS settings; options given explicitly win over the environment one by one. Files are read here once, so that a wrong
 * one is named before anything is connected.
 *
 * @throws VaultInvalidOptionError naming the option, its variable and the file
 * @internal
 */
export async function resolveTls(options: VaultTlsOptions = {}): Promise<TlsOptions> {
  const { passphrase } = options;
  const ca =
    options.ca ??
    file(VARIABLES.caFile) ??
    fromEnvironment(VARIABLES.caBytes) ??
    wrap('directory', fromEnvironment(VARIABLES.caDirectory));
  const cert = options.cert ?? file(VARIABLES.certFile) ?? fromEnvironment(VARIABLES.certBytes);
  const key = options.key ?? file(VARIABLES.keyFile) ?? fromEnvironment(VARIABLES.keyBytes);
  const serverName = options.serverName ?? fromEnvironment(VARIABLES.serverName);
  const tls: TlsOptions = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && {
      passphrase: () => resolveCredential(passphrase, 'tls.passphrase', LINE_BREAKS_AT_END),
    }),
    ...(serverName !== undefined && { serverName }),
    rejectUnauthorized: options.rejectUnauthorized ?? fromEnvironment(VARIABLES.skipVerify) !== true,
  };
  await TlsFiles.load(tls);
  return tls;
}

const file = (variable: typeof VARIABLES.caFile) => wrap('file', fromEnvironment(variable));

function wrap<K extends 'file' | 'directory'>(
  kind: K,
  path: string | undefined,
): { readonly [N in K]: string } | undefined {
  return path === undefined ? undefined : ({ [kind]: path } as { readonly [N in K]: string });
}
