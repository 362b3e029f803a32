import type { VaultClient } from '../../client/vault-client.js';
import { readSecrets, SecretReads } from '../sources/read-secrets.js';
import { addressesOf, referencesIn } from './plan-references.js';
import type { ReferenceRules } from './reference.options.js';
import { LONGEST_CHAIN } from './reference-resolver.js';

/** Reads what secrets refer to, and what that refers to, step by step. @internal */
export async function followReferences(
  client: VaultClient,
  first: SecretReads,
  rules: ReferenceRules,
  limits: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<SecretReads> {
  const reads = new SecretReads(first);
  let latest = first;
  for (let step = 0; step < LONGEST_CHAIN; step++) {
    const texts = referencesIn([...latest].map(([, { secret }]) => secret?.data));
    const unread = addressesOf(texts, rules).filter((address) => !reads.has(address));
    if (unread.length === 0) break;
    latest = await readSecrets(client, unread, limits);
    for (const [address, read] of latest) reads.set(address, read);
  }
  return reads;
}
