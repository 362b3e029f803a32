import type { InjectionToken } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { ConfigurationStore } from '../config/configuration-store.js';
import { textsIn, valueAt } from '../config/plain.js';
import { isLiteral } from '../config/references/reference.options.js';
import { unresolvedReferences } from '../config/references/unresolved-references.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { quoted, shortList } from '../errors/printable.js';

/** A provider or controller that has been created, or is a value. @internal */
export interface CreatedProvider {
  readonly token: InjectionToken;
  readonly instance: unknown;
}

/**
 * Looks for references of variables in what providers hold. Such a text was read from `process.env` before it was resolved,
 * mostly in a decorator when a file was imported: a token would be signed with the text of the reference.
 *
 * @param host what `ConfigService` reads its values from, which has a check of its own
 * @param skipped objects that may hold references
 * @throws VaultInvalidOptionError naming the providers and where in them; the texts may hold a default that is a secret
 * @internal
 */
export function refuseCopiedReferences(
  providers: Iterable<CreatedProvider>,
  store: ConfigurationStore,
  host: object = {},
  skipped: readonly object[] = [],
): void {
  const { known, plan } = store.loader;
  const { references, environment } = plan;
  if (!references || known.isEmpty) return;
  const looked = [...providers].filter(({ instance }) => !(instance instanceof ConfigService));
  const configServices = [...providers].map(({ instance }) => instance).filter((one) => one instanceof ConfigService);
  const nameOf = ([index = '', ...inner]: readonly string[]) => [tokenName(looked[Number(index)]?.token), ...inner];
  let meant: Set<string> | undefined;
  const isMeant = (path: readonly string[], text: string): boolean =>
    // Other texts of this form may come from anywhere, such as a secret that the provider has read itself.
    !known.find(text) || isLiteral(references, nameOf(path)) || (meant ??= new Set(textsOf(store, host))).has(text);
  const found = unresolvedReferences(
    looked.map(({ instance }) => instance),
    known,
    isMeant,
    [process.env, environment, store, store.loader, plan, store.values, host, ...configServices, ...skipped],
  );
  if (found.length > 0) throw copied(found.map((path) => nameOf(path).join('.')));
}

/** Texts that may look like references: values of secrets, and what is meant as it is. */
function textsOf(store: ConfigurationStore, host: object): string[] {
  const { references, environment } = store.loader.plan;
  const variables = Object.entries(environment).filter(([name]) => references && isLiteral(references, [name]));
  const values = (references?.literal ?? []).map((key) => valueAt(host, key));
  return [store.values, variables, values].flatMap(textsIn);
}

function tokenName(token: InjectionToken | undefined): string {
  return typeof token === 'function'
    ? token.name
    : typeof token === 'symbol'
      ? (token.description ?? '')
      : String(token);
}

function copied(paths: readonly string[]): VaultInvalidOptionError {
  const named = shortList([...new Set(paths)].map(quoted), 10);
  return new VaultInvalidOptionError(
    `Providers hold the text of a reference to Vault instead of its value: ${named}. ` +
      `They copied it from process.env before it was resolved, for example in the decorator of a module, which runs when the file is imported. ` +
      `Start the application with "node --import nestjs-vault/register", which resolves references before any file is imported. ` +
      `Or read the value later: from ConfigService, as in registerAsync({ inject: [ConfigService], useFactory }); ` +
      `code that reads process.env after the boot also needs "config.exportToProcessEnv: 'references'". ` +
      `If the text is meant as it is, name it in "config.references.literal".`,
  );
}
