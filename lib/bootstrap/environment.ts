import { readFile } from 'node:fs/promises';
import type { VaultTlsOptions } from '../client/transport.options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { checkTls } from './check-tls.js';

/**
 * A variable of Vault's environment: `BAO_<name>` if it is set at all, else `VAULT_<name>`; empty counts as not set.
 * @see https://openbao.org/docs/commands/#environment-variables
 * @internal
 */
export function variable(name: string): string | undefined {
  const value = process.env[`BAO_${name}`] ?? process.env[`VAULT_${name}`];
  return value === '' ? undefined : value;
}

/** TLS settings of the environment; options given explicitly win one by one. @internal */
export async function resolveTls(options: VaultTlsOptions = {}): Promise<VaultTlsOptions> {
  const [ca, cert, key] = await Promise.all([
    options.ca ?? pemFile('CACERT'),
    options.cert ?? pemFile('CLIENT_CERT'),
    options.key ?? pemFile('CLIENT_KEY'),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    throw new VaultInvalidOptionError(
      '"tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY) come together; one of them is missing.',
    );
  }
  const serverName = options.serverName ?? variable('TLS_SERVER_NAME');
  const rejectUnauthorized = options.rejectUnauthorized ?? !flag('SKIP_VERIFY');
  const tls: VaultTlsOptions = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
    ...(serverName !== undefined && { serverName }),
    rejectUnauthorized,
  };
  checkTls(tls);
  return tls;
}

async function pemFile(name: string): Promise<Buffer | undefined> {
  const file = variable(name);
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    // The name is not repeated when it is what belongs into the file: that may be a private key.
    const shown = file.includes('-----BEGIN')
      ? 'it holds PEM text instead of the name of a file'
      : JSON.stringify(file);
    throw new VaultInvalidOptionError(
      `VAULT_${name} (or BAO_${name}) names a file that cannot be read: ${shown} (${reason}).`,
      { reason },
    );
  }
}

/** Read as Go's strconv.ParseBool does: `VAULT_SKIP_VERIFY=false` means false. */
function flag(name: string): boolean {
  const value = variable(name);
  if (value === undefined) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw new VaultInvalidOptionError(`VAULT_${name} (or BAO_${name}) is neither true nor false.`);
}
