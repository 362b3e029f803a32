import type { VaultError, VaultErrorDetails } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { shortList } from '../printable.js';
import type { SecretAddress } from '../sources/read-secrets.js';
import { addressId } from '../sources/read-secrets.js';
import type { VaultReference } from './reference-syntax.js';

/** A reference that cannot be resolved: the secret could not be read, or what was read does not do. @internal */
export type ReferenceFailure = { readonly name: string; readonly reference: VaultReference } & (
  | { readonly unread: { readonly address: SecretAddress; readonly error: VaultError }; readonly why?: undefined }
  | { readonly unread?: undefined; readonly why: string }
);

/** So many are named; the others are counted. */
const MOST_NAMED = 10;

/**
 * The errors of the boot: one for every secret that could not be read, naming who refers to it, and one for every other
 * reference.
 *
 * @param explain adds to the failure of a read what its cause most likely is
 * @internal
 */
export async function describeReferences(
  failures: readonly ReferenceFailure[],
  explain: (error: VaultError, address: SecretAddress) => Promise<VaultError>,
): Promise<VaultError[]> {
  const errors: VaultError[] = [];
  const unread = new Map<
    string,
    { readonly address: SecretAddress; readonly error: VaultError; readonly names: string[] }
  >();
  for (const { name, reference, unread: failed, why } of failures) {
    if (!failed) {
      errors.push(new VaultInvalidOptionError(`${name} refers to ${reference.text}, which ${why}.`));
      continue;
    }
    const id = addressId(failed.address);
    const entry = unread.get(id) ?? { ...failed, names: [] };
    entry.names.push(`${name} (${reference.text})`);
    unread.set(id, entry);
  }
  const explained = [...unread.values()].map(async ({ address, error, names }) => {
    const { message, ...details } = await explain(error, address).then((why) => ({ ...why, message: why.message }));
    // The same class of error: what is retryable stays so.
    const Same = error.constructor as new (message: string, details: VaultErrorDetails) => VaultError;
    return new Same(`${shortList(names, MOST_NAMED)}: ${message}`, details);
  });
  return [...errors, ...(await Promise.all(explained))];
}
