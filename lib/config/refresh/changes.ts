import type { ConfigDifference } from '../config-tree.js';
import type { SecretReads } from '../sources/read-secrets.js';
import { addressText, isSameSecret } from '../sources/read-secrets.js';
import { VaultInvalidOptionError } from '../../errors/index.js';

/**
 * A change of the configuration in a running application. It never contains a value.
 * @publicApi
 */
export interface VaultConfigChange {
  /** Keys that were added, changed or removed, as you would pass them to `ConfigService.get`. */
  readonly keys: readonly string[];
  /** The removed ones among them; missing when there are none. */
  readonly removed?: readonly string[];
  /** Secrets of these keys that have a new version. */
  readonly secrets: readonly VaultSecretChange[];
  /** Time when the change was applied. */
  readonly at: Date;
}

/**
 * A secret with a new version. One of the versions is missing when the secret did not exist before or no longer exists, both
 * for a secret of a KV v1 engine, which has no versions.
 * @publicApi
 */
export interface VaultSecretChange {
  /** The Vault namespace, if the source names one. */
  readonly namespace?: string;
  readonly mountPath: string;
  readonly secretPath: string;
  /** Version before; missing when the secret did not exist. */
  readonly from?: number;
  /** Version now; missing when the secret no longer exists. */
  readonly to?: number;
}

/** @param differences of two configurations @internal */
export function describeChange(
  differences: readonly ConfigDifference[],
  before: SecretReads,
  after: SecretReads,
): VaultConfigChange {
  // A key with dots may have become a path, or a path such a key.
  const keys = [...new Set(differences.map(({ path }) => path.join('.')))];
  const present = new Set(differences.flatMap(({ path, after: leaf }) => (leaf ? [path.join('.')] : [])));
  const removed = keys.filter((key) => !present.has(key));
  return Object.freeze({
    keys,
    ...(removed.length > 0 && { removed }),
    secrets: changedSecrets(differences, before, after),
    at: new Date(),
  });
}

/** The secrets that changed values came from, or come from now, with another version than before. */
function changedSecrets(
  differences: readonly ConfigDifference[],
  before: SecretReads,
  after: SecretReads,
): readonly VaultSecretChange[] {
  const secrets = new Map<string, VaultSecretChange>();
  const origins = new Set(differences.flatMap((one) => [one.before?.origin ?? [], one.after?.origin ?? []]).flat());
  for (const origin of origins) {
    const { namespace, mountPath, secretPath } = origin;
    const address = { mountPath, secretPath, ...(namespace !== undefined && { namespace }) };
    const [was, is] = [before.secretAt(address), after.secretAt(address)];
    // A secret that was deleted with its history and written again has the same version and another time.
    if (isSameSecret(was, is)) continue;
    secrets.set(addressText(address), {
      ...address,
      ...(was?.version && { from: was.version }),
      ...(is?.version && { to: is.version }),
    });
  }
  return [...secrets.values()];
}

const LISTENER = Symbol.for('nestjs-vault.on-vault-change');

/** What a method listens to. @internal */
export interface ChangeListener {
  /** Key, namespace or other container; `undefined` for every change. */
  readonly key: string | undefined;
  readonly vault: string | undefined;
}

/**
 * Calls the method after the configuration has changed, with a `VaultConfigChange`. The new values are in place by then;
 * what the method throws is logged and stops nothing.
 *
 * @param key a key such as `database.password`, or all below `database`; left out, every change. A part of a value changes
 *   with the whole
 * @param options `vault`: name of the `VaultModule`, when it has one
 * @throws VaultInvalidOptionError on anything but a method, which is never called, such as a static one
 * @publicApi
 */
export function OnVaultChange(key?: string, options: { readonly vault?: string } = {}): MethodDecorator {
  return (target, name, descriptor) => {
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new VaultInvalidOptionError(
        `@OnVaultChange() cannot be used on "${String(name)}": it is for methods, and not for static ones.`,
      );
    }
    const method = descriptor.value as unknown as { [LISTENER]?: ChangeListener[] };
    method[LISTENER] = [...(method[LISTENER] ?? []), { key, vault: options.vault }];
  };
}

/** What a method listens to with `OnVaultChange`. @internal */
export function listenersOf(method: unknown): readonly ChangeListener[] {
  return typeof method === 'function' ? ((method as { [LISTENER]?: ChangeListener[] })[LISTENER] ?? []) : [];
}

/** @internal */
export function concerns({ key }: ChangeListener, { keys }: VaultConfigChange): boolean {
  // One way for what is below a container, the other for a part of a value.
  return (
    key === undefined || keys.some((changed) => `${changed}.`.startsWith(`${key}.`) || key.startsWith(`${changed}.`))
  );
}
