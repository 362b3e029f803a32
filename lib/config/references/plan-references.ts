import { isVaultError } from '../../errors/index.js';
import type { ConfigPlan } from '../config-layer.js';
import { textsIn } from '../plain.js';
import type { SecretAddress } from '../sources/read-secrets.js';
import type { ReferenceRules } from './reference.options.js';
import { isLiteral } from './reference.options.js';
import { addressOf } from './reference-address.js';
import type { ReferenceText } from './reference-syntax.js';
import { parseReferences } from './reference-syntax.js';

/** Variables of the environment with references in them, by name. @internal */
export function referencesInVariables({
  environment,
  references,
}: Pick<ConfigPlan, 'environment' | 'references'>): ReadonlyMap<string, ReferenceText> {
  const found = new Map<string, ReferenceText>();
  if (!references) return found;
  for (const [name, text] of Object.entries(environment)) {
    if (text === undefined || isLiteral(references, [name])) continue;
    const parts = parseReferences(text);
    if (parts) found.set(name, parts);
  }
  return found;
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
