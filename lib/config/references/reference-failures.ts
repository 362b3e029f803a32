import type { VaultError } from '../../errors/index.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { shortList } from '../../errors/printable.js';
import type { FailedRead, SecretAddress } from '../sources/read-secrets.js';
import { addressText } from '../sources/read-secrets.js';
import type { ReferenceFlaw, VaultReference } from './reference-syntax.js';

/** A reference that cannot be resolved: the secret could not be read, or what was read does not do. @internal */
export type ReferenceFailure = { readonly name: string; readonly reference: VaultReference } & (
  | { readonly unread: { readonly address: SecretAddress; readonly read: FailedRead }; readonly why?: undefined }
  | { readonly unread?: undefined; readonly why: string }
);

/** So many are named; the others are counted. */
const MOST_NAMED = 10;

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
    const needed = `Needed by ${isShared ? 'a source and ' : ''}${unique.length} ${unique.length === 1 ? 'value' : 'values'}: ${shortList(unique, MOST_NAMED)}.`;
    return error.withAdvice({ id: 'needed-by', text: needed });
  });
  return [...errors, ...(await Promise.all(explained))];
}

const NOTATION = 'The notation is vault:mount/path#key, then "#" and a version from 1, or "?" and a default';

/** What is wrong with a reference, as the end of a sentence that begins with "which". @internal */
export function describeFlaw({ text, part = '' }: VaultReference, flaw: ReferenceFlaw): string {
  const slip = (what: string) => `does not follow the notation: ${what}. ${NOTATION}`;
  switch (flaw) {
    case 'cut':
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
      return 'has no "}" at its end. Add it behind the key, the version or the default';
    case 'template':
      return 'has a template of Bank-Vaults behind "#", which is not supported. Name a key, and change its value in "config.load" or a schema';
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
      return slip(part === '' ? 'there is no key behind "#"' : `the key "${part}" has spaces, quotes, braces, "$" or backslashes. Write them as "%20" and the like`); // prettier-ignore
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
