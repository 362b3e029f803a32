import type { ConfigEntries, ConfigEntry } from '../configuration.js';
import { samePlain } from '../plain.js';
import type { SecretReads } from '../sources/read-secrets.js';
import { isSameSecret, secretId, versionsIn } from '../sources/read-secrets.js';
import type { VaultConfigChange, VaultSecretChange } from './config-change.js';

/** A place in the configuration with another value than before. @internal */
export interface ChangedEntry {
  readonly path: readonly string[];
  readonly before: ConfigEntry | undefined;
  readonly after: ConfigEntry | undefined;
}

/** @internal */
export function changedEntries(before: ConfigEntries, after: ConfigEntries): ChangedEntry[] {
  const changed: ChangedEntry[] = [];
  for (const [id, entry] of after) {
    const was = before.get(id);
    if (!was || !samePlain(was.value, entry.value)) changed.push({ path: entry.path, before: was, after: entry });
  }
  for (const [id, was] of before) if (!after.has(id)) changed.push({ path: was.path, before: was, after: undefined });
  return changed;
}

/** What can be told of a change: no values. @internal */
export function describeChange(
  changed: readonly ChangedEntry[],
  before: SecretReads,
  after: SecretReads,
): VaultConfigChange {
  // A key with dots may have become a path, or a path such a key.
  const keys = [...new Set(changed.map(({ path }) => path.join('.')))];
  const present = new Set(changed.flatMap(({ path, after: is }) => (is ? [path.join('.')] : [])));
  const removed = keys.filter((key) => !present.has(key));
  return Object.freeze({
    keys,
    ...(removed.length > 0 && { removed }),
    secrets: changedSecrets(changed, before, after),
    at: new Date(),
  });
}

/** Of the secrets that a changed value came from or comes from, those that are not what they were. */
function changedSecrets(
  changed: readonly ChangedEntry[],
  before: SecretReads,
  after: SecretReads,
): readonly VaultSecretChange[] {
  const [old, current] = [versionsIn(before), versionsIn(after)];
  const secrets = new Map<string, VaultSecretChange>();
  const origins = new Set(changed.flatMap((entry) => [entry.before?.origin ?? [], entry.after?.origin ?? []]).flat());
  for (const origin of origins) {
    const { namespace, mountPath, secretPath } = origin;
    const id = secretId(origin);
    const [was, is] = [old.get(id), current.get(id)];
    // One that was deleted with its history and written anew has the same number and another time.
    if (isSameSecret(was, is)) continue;
    secrets.set(id, {
      ...(namespace !== undefined && { namespace }),
      mountPath,
      secretPath,
      ...(was?.version && { from: was.version }),
      ...(is?.version && { to: is.version }),
    });
  }
  return [...secrets.values()];
}
