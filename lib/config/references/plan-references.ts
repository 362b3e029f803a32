import { isVaultError } from '../../errors/index.js';
import type { ConfigPlan } from '../plan.js';
import { textsIn } from '../plain.js';
import type { SecretAddress } from '../sources/read-secrets.js';
import type { ReferenceRules } from './reference.options.js';
import { isLiteral } from './reference.options.js';
import { addressOf } from './reference-address.js';
import { isReservedKey } from '../reserved-keys.js';
import type { KnownReferences } from './known-references.js';
import type { ReferenceFlaw, ReferenceText, VaultReference } from './reference-syntax.js';
import { parseReferences } from './reference-syntax.js';

/**
 * Variables of the environment with references in them, by name.
 *
 * @param known gets them, and finds what is left of them in others
 * @internal
 */
export function referencesInVariables(
  { environment, references }: Pick<ConfigPlan, 'environment' | 'references'>,
  known: KnownReferences,
): ReadonlyMap<string, ReferenceText> {
  const found = new Map<string, ReferenceText>();
  if (!references) return found;
  const texts = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isLiteral(references, [entry[0]]),
  );
  known.addVariables(texts.flatMap(([, text]) => [parseReferences(text) ?? []]));
  for (const [name, text] of texts) {
    const parts = known.parse(text);
    if (parts) found.set(name, isReservedKey(name) ? parts.map((part) => withFlaw(part, 'name')) : parts);
  }
  return found;
}

function withFlaw(part: string | VaultReference, flaw: ReferenceFlaw): string | VaultReference {
  return typeof part === 'string' ? part : { ...part, flaw };
}

/** Every reference in a value, at any depth. @internal */
export function referencesIn(value: unknown): ReferenceText[] {
  return textsIn(value).flatMap((text) => {
    const parts = parseReferences(text);
    return parts ? [parts] : [];
  });
}

/** The secrets that references name; those that cannot be understood are reported when they are resolved. @internal */
export function addressesOf(texts: Iterable<ReferenceText>, { mounts }: ReferenceRules): SecretAddress[] {
  const found: SecretAddress[] = [];
  for (const part of [...texts].flat()) {
    if (typeof part === 'string' || part.flaw) continue;
    try {
      found.push(addressOf(part, mounts));
    } catch (error) {
      if (!isVaultError(error)) throw error;
    }
  }
  return found;
}
