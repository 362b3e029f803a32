import { isVaultError, VaultDisabledError } from '../../errors/index.js';
import { copyPlain, valueAt } from '../plain.js';
import type { SecretAddress, SecretRead, SecretReads } from '../sources/read-secrets.js';
import { addressText, isAbsent } from '../sources/read-secrets.js';
import { reservedKeyIn } from '../reserved-keys.js';
import type { ReferenceRules } from './reference.options.js';
import { addressOf } from './reference-address.js';
import type { ReferenceFailure } from './reference-failures.js';
import { describeFlaw } from './reference-failures.js';
import type { ReferenceText, VaultReference } from './reference-syntax.js';
import { parseReferences } from './reference-syntax.js';

/** A chain of references in secrets that is longer is taken for an attack, and so is a text that grows beyond this. */
export const LONGEST_CHAIN = 16;
const LONGEST_TEXT = 8 * 1024 * 1024;
/**
 * What references in secrets put in place may not be larger together, written out: objects are shared here, and every name,
 * alias and export of them is not. In characters; a value counts as at least {@link MIN_VALUE_SIZE}.
 */
const MAX_PLACED_SIZE = 16_000_000;
const MIN_VALUE_SIZE = 100;

/** What a reference stands for, and the secret it was found in; none if it is a default. @internal */
export interface ResolvedReference {
  readonly value: unknown;
  readonly found?: FoundSecret | undefined;
}

/** @internal */
export interface FoundSecret {
  readonly address: SecretAddress;
  readonly read: Extract<SecretRead, { readAt: Date }>;
}

/** Who holds a text, as errors call it, and the references in secrets that led to it. */
interface Holder {
  readonly name: string;
  readonly chain: readonly { readonly id: string; readonly text: string }[];
}

/**
 * Puts values in the place of references, from what has been read. Made anew for every assembly. What cannot be resolved
 * is noted in `failures` and left to the caller to report.
 * @internal
 */
export class ReferenceResolver {
  readonly #reads: SecretReads;
  readonly #rules: ReferenceRules;
  readonly #followed = new Map<string, ResolvedReference | undefined>();
  readonly #sizes = new WeakMap<object, number>();
  #placedSize = 0;
  readonly failures: ReferenceFailure[] = [];

  constructor(reads: SecretReads, rules: ReferenceRules) {
    this.#reads = reads;
    this.#rules = rules;
  }

  /** @param name what holds the text, as errors call it */
  resolve(parts: ReferenceText, name: string): ResolvedReference | undefined {
    return this.#resolve(parts, { name, chain: [] });
  }

  /**
   * A copy of a value with every reference in it resolved; `found` is the first of them.
   *
   * @param parse how texts are taken apart
   */
  resolveDeep(value: unknown, name: string, parse = parseReferences): ResolvedReference {
    return this.#deep(value, { name, chain: [] }, parse);
  }

  #deep(value: unknown, holder: Holder, parse = parseReferences): ResolvedReference {
    let found: FoundSecret | undefined;
    const copy = copyPlain(value, (text) => {
      const parts = parse(text);
      if (!parts) return text;
      const resolved = this.#resolve(parts, holder);
      found ??= resolved?.found;
      return resolved?.value;
    });
    return { value: copy, found };
  }

  #resolve(parts: ReferenceText, holder: Holder): ResolvedReference | undefined {
    const [only] = parts;
    if (parts.length === 1 && typeof only === 'object') return this.#lookUp(only, holder);
    let text = '';
    let found: FoundSecret | undefined;
    for (const part of parts) {
      const resolved = typeof part === 'string' ? { value: part } : this.#lookUp(part, holder);
      if (!resolved) return undefined;
      if (typeof part === 'object' && (typeof resolved.value === 'object' || resolved.value === undefined)) {
        return this.#fail(
          holder,
          part,
          'is no text, number or boolean, and cannot be part of a text. Store it as one, or let the reference be the whole text',
        );
      }
      text += String(resolved.value);
      found ??= resolved.found;
      if (text.length > LONGEST_TEXT && typeof part === 'object') {
        return this.#fail(holder, part, `makes the text longer than ${LONGEST_TEXT} characters`);
      }
    }
    return { value: text, found };
  }

  #lookUp(reference: VaultReference, holder: Holder): ResolvedReference | undefined {
    if (reference.flaw) return this.#fail(holder, reference, describeFlaw(reference, reference.flaw));
    let address: SecretAddress;
    try {
      address = addressOf(reference, this.#rules.mounts);
    } catch (error) {
      if (!isVaultError(error)) throw error;
      return this.#fail(holder, reference, `is not readable: ${error.message.replace(/\.$/, '')}`);
    }
    const standIn = reference.fallback === undefined ? undefined : { value: reference.fallback };
    const read = this.#reads.get(address);
    if (!read) return this.#fail(holder, reference, holder.chain.length > 0 ? TOO_LONG : 'has not been read');
    if (!read.secret) {
      if (standIn && (isAbsent(read) || read.error instanceof VaultDisabledError)) return standIn;
      this.failures.push({ name: holder.name, reference, unread: { address, read } });
      return undefined;
    }
    const value = valueAt(read.secret.data, reference.key);
    if (value === undefined) {
      return (
        standIn ??
        this.#fail(
          holder,
          reference,
          `does not exist: secret "${address.secretPath}" in mount "${address.mountPath}"${read.secret.version === 0 ? '' : ` (version ${read.secret.version})`} has no such key. Add it (with "kv patch": "kv put" replaces all keys), correct the reference, or give a default behind "?"`,
        )
      );
    }
    if (reservedKeyIn(value) !== undefined) {
      return this.#fail(holder, reference, 'holds a name that no configuration may have. Rename it in Vault');
    }
    const found = { address, read };
    return this.#rules.inSecrets ? this.#follow(reference, { value, found }, holder) : { value, found };
  }

  /** The references in a value that comes from a secret itself. */
  #follow(
    reference: VaultReference,
    { value, found }: { readonly value: unknown; readonly found: FoundSecret },
    { name, chain }: Holder,
  ): ResolvedReference | undefined {
    const id = JSON.stringify([addressText(found.address), reference.key]);
    if (this.#followed.has(id)) {
      const known = this.#followed.get(id);
      return known
        ? this.#place(known, reference, name)
        : this.#fail({ name }, reference, 'cannot be resolved, for a reason given already');
    }
    const next = [...chain, { id, text: reference.text }];
    const start = chain.findIndex((link) => link.id === id);
    if (start >= 0) {
      const cycle = next.slice(start).map(({ text }) => text);
      return this.#fail({ name }, reference, `is part of a cycle: ${cycle.join(' → ')}. Break it in Vault`);
    }
    if (next.length > LONGEST_CHAIN) return this.#fail({ name }, reference, TOO_LONG);
    const failed = this.failures.length;
    const resolved = this.#deep(value, { name, chain: next });
    const result = this.failures.length > failed ? undefined : { value: resolved.value, found };
    this.#followed.set(id, result);
    return result && this.#place(result, reference, name);
  }

  #place(resolved: ResolvedReference, reference: VaultReference, name: string): ResolvedReference | undefined {
    this.#placedSize += this.#sizeOf(resolved.value);
    if (this.#placedSize <= MAX_PLACED_SIZE) return resolved;
    const limit = `${MAX_PLACED_SIZE} characters`;
    return this.#fail(
      { name },
      reference,
      `makes what the references in secrets stand for larger than ${limit} in all. Refer to single keys instead of objects that hold references`,
    );
  }

  /** Written out; without looking into an object twice, because the same one may be in many places. */
  #sizeOf(value: unknown): number {
    if (typeof value === 'string') return Math.max(MIN_VALUE_SIZE, value.length);
    if (typeof value !== 'object' || value === null) return MIN_VALUE_SIZE;
    const known = this.#sizes.get(value);
    if (known !== undefined) return known;
    const containers: object[] = [value];
    let size = 0;
    for (const container of containers) {
      size += MIN_VALUE_SIZE;
      for (const [key, inner] of Object.entries(container) as [string, unknown][]) {
        size += key.length;
        const innerSize = typeof inner === 'object' && inner !== null ? this.#sizes.get(inner) : this.#sizeOf(inner);
        if (innerSize === undefined) containers.push(inner as object);
        else size += innerSize;
      }
    }
    this.#sizes.set(value, size);
    return size;
  }

  #fail({ name }: Pick<Holder, 'name'>, reference: VaultReference, why: string): undefined {
    this.failures.push({ name, reference, why });
    return undefined;
  }
}

const TOO_LONG = `is the end of a chain of more than ${LONGEST_CHAIN} references, which is not followed. Shorten it in Vault`;
