import { isVaultError, VaultDisabledError, VaultInvalidOptionError } from '../../errors/index.js';
import { copyPlain, textsIn, valueAt } from '../plain.js';
import type { FailedRead, SecretAddress, SecretRead } from '../sources/read-secrets.js';
import { addressText, isAbsent, readSecrets, SecretReads } from '../sources/read-secrets.js';
import { isReservedKey, reservedKeyIn } from '../reserved-keys.js';
import type { ReferenceRules } from './reference.options.js';
import { addressOf, parseReferences } from './reference.js';
import type { ReferenceProblem, ReferenceText, VaultReference } from './reference.js';
import type { ConfigPlan } from '../plan.js';
import { isLiteral } from './reference.options.js';
import type { KnownReferences } from './leftover-references.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { VaultError } from '../../errors/index.js';
import { formatList } from '../../errors/format.js';

/** A chain of references in secrets that is longer is taken for an attack, and so is a text that grows beyond this. */
export const MAX_CHAIN_LENGTH = 16;
const MAX_TEXT_LENGTH = 8 * 1024 * 1024;
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
          'is not a text, number or boolean, and cannot be part of a text. Store it as one, or let the reference be the whole text',
        );
      }
      text += String(resolved.value);
      found ??= resolved.found;
      if (text.length > MAX_TEXT_LENGTH && typeof part === 'object') {
        return this.#fail(holder, part, `makes the text longer than ${MAX_TEXT_LENGTH} characters`);
      }
    }
    return { value: text, found };
  }

  #lookUp(reference: VaultReference, holder: Holder): ResolvedReference | undefined {
    if (reference.problem) return this.#fail(holder, reference, describeProblem(reference, reference.problem));
    let address: SecretAddress;
    try {
      address = addressOf(reference, this.#rules.mounts);
    } catch (error) {
      if (!isVaultError(error)) throw error;
      return this.#fail(holder, reference, `is not readable: ${error.message.replace(/\.$/, '')}`);
    }
    const fallback = reference.fallback === undefined ? undefined : { value: reference.fallback };
    const read = this.#reads.get(address);
    if (!read) return this.#fail(holder, reference, holder.chain.length > 0 ? TOO_LONG : 'has not been read');
    if (!read.secret) {
      if (fallback && (isAbsent(read) || read.error instanceof VaultDisabledError)) return fallback;
      this.failures.push({ name: holder.name, reference, unread: { address, read } });
      return undefined;
    }
    const value = valueAt(read.secret.data, reference.key);
    if (value === undefined) {
      return (
        fallback ??
        this.#fail(
          holder,
          reference,
          `does not exist: secret "${address.secretPath}" in mount "${address.mountPath}"${read.secret.version === 0 ? '' : ` (version ${read.secret.version})`} has no such key. Add it (with "kv patch": "kv put" replaces all keys), correct the reference, or give a default after "?"`,
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
    if (next.length > MAX_CHAIN_LENGTH) return this.#fail({ name }, reference, TOO_LONG);
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

const TOO_LONG = `is the end of a chain of more than ${MAX_CHAIN_LENGTH} references, which is not followed. Shorten it in Vault`;

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
    if (parts) found.set(name, isReservedKey(name) ? parts.map((part) => withProblem(part, 'name')) : parts);
  }
  return found;
}

function withProblem(part: string | VaultReference, problem: ReferenceProblem): string | VaultReference {
  return typeof part === 'string' ? part : { ...part, problem };
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
    if (typeof part === 'string' || part.problem) continue;
    try {
      found.push(addressOf(part, mounts));
    } catch (error) {
      if (!isVaultError(error)) throw error;
    }
  }
  return found;
}

/** Reads what secrets refer to, and what that refers to, step by step. @internal */
export async function followReferences(
  client: VaultClient,
  first: SecretReads,
  rules: ReferenceRules,
  limits: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<SecretReads> {
  const reads = new SecretReads(first);
  let latest = first;
  for (let step = 0; step < MAX_CHAIN_LENGTH; step++) {
    const texts = referencesIn([...latest].map(([, { secret }]) => secret?.data));
    const unread = addressesOf(texts, rules).filter((address) => !reads.has(address));
    if (unread.length === 0) break;
    latest = await readSecrets(client, unread, limits);
    for (const [address, read] of latest) reads.set(address, read);
  }
  return reads;
}

/** A reference that cannot be resolved: the secret could not be read, or what was read does not do. @internal */
export type ReferenceFailure = { readonly name: string; readonly reference: VaultReference } & (
  | { readonly unread: { readonly address: SecretAddress; readonly read: FailedRead }; readonly why?: undefined }
  | { readonly unread?: undefined; readonly why: string }
);

/** So many are named; the others are counted. */
const MAX_NAMED = 10;

/**
 * The errors of the boot: one for every secret that could not be read, naming who refers to it, and one for every other
 * reference.
 *
 * @param explain adds to the failure of a read what its cause most likely is; `isShared` when a source needs that secret too
 * @internal
 */
export async function describeReferences(
  failures: readonly ReferenceFailure[],
  explain: (
    read: FailedRead,
    address: SecretAddress,
  ) => Promise<{ readonly error: VaultError; readonly isShared: boolean }>,
): Promise<VaultError[]> {
  const errors: VaultError[] = [];
  const unread = new Map<
    string,
    { readonly address: SecretAddress; readonly read: FailedRead; readonly names: string[] }
  >();
  for (const { name, reference, unread: failed, why } of failures) {
    if (!failed) {
      errors.push(new VaultInvalidOptionError(`${name} refers to ${reference.text}, which ${why}.`));
      continue;
    }
    const id = addressText(failed.address);
    const entry = unread.get(id) ?? { ...failed, names: [] };
    entry.names.push(name);
    unread.set(id, entry);
  }
  const explained = [...unread.values()].map(async ({ address, read, names }) => {
    const { error, isShared } = await explain(read, address);
    const unique = [...new Set(names)];
    const needed = `Needed by ${isShared ? 'a source and ' : ''}${unique.length} ${unique.length === 1 ? 'value' : 'values'}: ${formatList(unique, MAX_NAMED)}.`;
    return error.withAdvice({ id: 'needed-by', text: needed });
  });
  return [...errors, ...(await Promise.all(explained))];
}

const NOTATION = 'The notation is vault:mount/path#key, then "#" and a version from 1, or "?" and a default';

/** What is wrong with a reference, as the end of a sentence that begins with "which". @internal */
export function describeProblem({ text, part = '' }: VaultReference, problem: ReferenceProblem): string {
  const slip = (what: string) => `does not follow the notation: ${what}. ${NOTATION}`;
  switch (problem) {
    case 'truncated':
      return `names no key of the secret. Without quotes, parsers of .env take "#" for a comment: put the text in quotes${part === '' ? '' : `. If its last part is the key, write vault:${part}`}`;
    case 'braces':
      return 'has braces in its default, so that its end cannot be known. Only the reference itself can stand in "${…}": move the default, or the reference in it, to a variable of its own';
    case 'chained':
      return 'has another reference as its default, which would stay text. Give a plain text as default';
    case 'wrapped':
      return 'has quotes or spaces around it that belong to the text ("docker run --env-file" keeps quotes, and files end in a line break). Remove them';
    case 'case':
      return 'is not written in lower case ("vault:"). Mounts, paths and keys depend on case: write the reference as it is, and change the case of the value instead';
    case 'escaped':
      return 'has a backslash before "${", which would stay in the text. Remove it';
    case 'unclosed':
      return 'has no "}" at its end. Add it after the key, the version or the default';
    case 'template':
      return 'has a template of Bank-Vaults after "#", which is not supported. Name a key, and change its value in "config.load" or a schema';
    case 'default':
      return `has a default ("?"), but no key before it. Write ${text}#KEY?default`;
    case 'backslash':
      return slip('its path has a backslash. Write "/"');
    case 'space':
      if (part !== '') return slip(`there is white space next to "${part}". Remove it`);
      return slip('its path has a space. Write it as "%20"');
    case 'slash':
      return slip('its path has a slash too many');
    case 'mount':
      return slip('its path has no mount. Write vault:MOUNT/… with the name of the mount, such as "secret"');
    case 'percent':
      return slip('"%" begins an encoded character, such as "%20" for a space. Write the sign itself as "%25"');
    case 'key':
      return slip(part === '' ? 'the key after "#" is missing' : `the key "${part}" has spaces, quotes, braces, "$" or backslashes. Write them as "%20" and the like`); // prettier-ignore
    case 'version':
      return slip(`the version "${part}" is not a whole number from 1. Correct it, or leave it out for the latest`);
    case 'ambiguous':
      return `may be a part of a longer text, so that "?" begins no default. Write \${${text}} for the reference, and what belongs to it in the braces; in its key, "%40" for "@" and the like`;
    case 'inside':
      return `is a part of a longer text there, and would stay text. Write \${${text}} in that place; in .env, "\\\${${text}}" where ConfigModule has "expandVariables"`;
    case 'name':
      return 'cannot be resolved under this name, which no configuration may have. Rename the variable';
    case 'notation':
      return slip('correct it');
  }
}
