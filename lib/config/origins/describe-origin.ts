import { duration } from '../duration.js';
import { printable, quoted } from '../../errors/printable.js';
import type { Origin, VaultValueOrigin } from './value-origin.js';

/**
 * Where a value came from, in one line: `database.password: secret/my-app/db, version 3, written 2 days ago; hides
 * secret/application, version 1`.
 * @internal
 */
export function describeOrigin({ key, hides, ...origin }: VaultValueOrigin, now: Date): string {
  const { createdTime, fromSchema } = origin;
  const written = Date.parse(createdTime ?? '');
  const age = Number.isNaN(written) ? '' : `, written ${duration(Math.max(0, now.getTime() - written))} ago`;
  const place = fromSchema ? `made by the schema of ${placeOf(origin)}` : placeOf(origin) + age;
  const hidden = hides.map((other) => placeOf(other));
  return `${printable(key)}: ${place}${hidden.length > 0 ? `; hides ${hidden.join(', ')}` : ''}`;
}

function placeOf(origin: Omit<VaultValueOrigin, 'hides' | 'key'>): string {
  const { variable, namespace, mountPath, secretPath, version, kvVersion } = origin;
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  const which = kvVersion === undefined ? `, version ${version}` : ' (KV version 1)';
  const secret = secretPath === undefined ? undefined : `${mountPath}/${secretPath}${where}${which}`;
  if (variable === undefined) return secret ?? 'config.load';
  return secret === undefined ? `variable ${variable}` : `variable ${variable}, which refers to ${secret}`;
}

/** Where a value came from, as messages call it. @internal */
export function placeOfOrigin({ mountPath, secretPath, variable }: Omit<Origin, 'hides'>): string {
  if (secretPath !== '') return `secret ${quoted(secretPath)} in mount ${quoted(mountPath)}`;
  return variable === undefined ? '"config.load"' : `variable ${printable(variable)}`;
}
