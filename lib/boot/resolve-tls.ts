import { checkCredential, TRAILING_LINE_BREAKS, resolveCredential } from '../auth/credential.js';
import { TlsFiles } from '../client/connections/tls-files.js';
import type { TlsOptions } from '../client/connections/tls.options.js';
import type { VaultTlsOptions } from '../vault.options.js';
import type { Shape } from '../options/check-options.js';
import { typeOf } from '../options/check-options.js';
import { readVariable, VARIABLES } from '../options/environment.js';

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
  serverName: typeOf('string'),
  rejectUnauthorized: typeOf('boolean'),
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
    readVariable(VARIABLES.caBytes) ??
    wrap('directory', readVariable(VARIABLES.caDirectory));
  const cert = options.cert ?? file(VARIABLES.certFile) ?? readVariable(VARIABLES.certBytes);
  const key = options.key ?? file(VARIABLES.keyFile) ?? readVariable(VARIABLES.keyBytes);
  const serverName = options.serverName ?? readVariable(VARIABLES.serverName);
  const tls: TlsOptions = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && {
      passphrase: () => resolveCredential(passphrase, 'tls.passphrase', TRAILING_LINE_BREAKS),
    }),
    ...(serverName !== undefined && { serverName }),
    rejectUnauthorized: options.rejectUnauthorized ?? readVariable(VARIABLES.skipVerify) !== true,
  };
  await TlsFiles.load(tls);
  return tls;
}

const file = (variable: typeof VARIABLES.caFile) => wrap('file', readVariable(variable));

function wrap<K extends 'file' | 'directory'>(
  kind: K,
  path: string | undefined,
): { readonly [N in K]: string } | undefined {
  return path === undefined ? undefined : ({ [kind]: path } as { readonly [N in K]: string });
}
