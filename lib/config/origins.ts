import { formatDuration, printable, quoted } from '../errors/format.js';
import type { FoundSecret } from './references/resolve-references.js';
import type { SecretAddress, SecretRead } from './sources/read-secrets.js';

/** A version of a secret. @publicApi */
interface SecretVersion {
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version: number;
  /** Time when the version was written (RFC 3339). */
  readonly createdTime: string;
  /** Time when it was read into this process. */
  readonly loadedAt: Date;
}

interface OriginDetails {
  /** The environment variable that contains the value or the reference to it. */
  readonly variable?: string;
  /** Whether the schema created it: a default, or a key that the schema renamed. The secret has no such key. */
  readonly fromSchema?: true;
  /** The secret is in a KV v1 engine, so `version` and `createdTime` are missing. */
  readonly kvVersion?: 1;
  /** The Vault namespace, if the source names one. */
  readonly namespace?: string;
}

/**
 * Where a configuration value came from: the secret and its version. A value that an environment variable holds itself has
 * neither, and in `overrides` neither does one from `config.load`. Never holds the value.
 * @publicApi
 */
export interface VaultValueOrigin extends OriginDetails, Partial<SecretVersion> {
  readonly key: string;
  /** Sources of lower precedence that also have this key, nearest first. */
  readonly overrides: readonly Omit<VaultValueOrigin, 'overrides'>[];
}

/** Where values come from; the values of one secret share it. @internal */
export interface Origin extends OriginDetails, SecretVersion {
  readonly overrides: readonly Omit<Origin, 'overrides'>[];
}

/** The origin of a value that is not in a secret. @internal */
export const NO_SECRET: Origin = {
  mountPath: '',
  secretPath: '',
  version: 0,
  createdTime: '',
  loadedAt: new Date(0),
  overrides: [],
};

/** @internal */
export function originOf(
  { namespace, mountPath, secretPath }: SecretAddress,
  { secret: { version, createdTime }, readAt }: Extract<SecretRead, { readAt: Date }>,
): Origin {
  const place = namespace === undefined ? { mountPath, secretPath } : { namespace, mountPath, secretPath };
  const engine = version === 0 ? { kvVersion: 1 as const } : {};
  return { ...place, ...engine, version, createdTime, loadedAt: readAt, overrides: NO_SECRET.overrides };
}

/** @param found the secret of a reference; `undefined` if its default was used @internal */
export function originOfReference(found: FoundSecret | undefined): Origin {
  return found ? originOf(found.address, found.read) : NO_SECRET;
}

/** The origin of a value that also overrides a value of another origin. A variable does not override itself. @internal */
export function overriding(origin: Origin, { overrides, ...overridden }: Origin): Origin {
  const isSame = overridden.variable !== undefined && overridden.variable === origin.variable;
  return { ...origin, overrides: [...origin.overrides, ...(isSame ? [] : [overridden]), ...overrides] };
}

/** The origin of the value at a path. @internal */
export function valueOrigin(path: readonly string[], { overrides, ...origin }: Origin): VaultValueOrigin {
  const key = path.join('.');
  return { key, ...publicOrigin(origin), overrides: overrides.map((other) => ({ key, ...publicOrigin(other) })) };
}

function publicOrigin({
  mountPath,
  secretPath,
  version,
  createdTime,
  loadedAt,
  ...details
}: Omit<Origin, 'overrides'>) {
  if (secretPath === '') return details;
  const written = version === 0 ? {} : { version, createdTime };
  return { ...details, mountPath, secretPath, ...written, loadedAt };
}

/** Whether a value is from a secret or the environment, and not from the application's own factories. @internal */
export function isFromVault({ secretPath, variable }: Origin): boolean {
  return secretPath !== '' || variable !== undefined;
}

/**
 * Where a value came from, in one line: `database.password: secret/my-app/db, version 3, written 2 days ago; hides
 * secret/application, version 1`.
 * @internal
 */
export function describeOrigin({ key, overrides, ...origin }: VaultValueOrigin, now: Date): string {
  const { createdTime, fromSchema } = origin;
  const written = Date.parse(createdTime ?? '');
  const age = Number.isNaN(written) ? '' : `, written ${formatDuration(Math.max(0, now.getTime() - written))} ago`;
  const place = fromSchema ? `made by the schema of ${placeOf(origin)}` : placeOf(origin) + age;
  const overridden = overrides.map((other) => placeOf(other));
  return `${printable(key)}: ${place}${overridden.length > 0 ? `; hides ${overridden.join(', ')}` : ''}`;
}

function placeOf(origin: Omit<VaultValueOrigin, 'key' | 'overrides'>): string {
  const { variable, namespace, mountPath, secretPath, version, kvVersion } = origin;
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  const which = kvVersion === undefined ? `, version ${version}` : ' (KV version 1)';
  const secret = secretPath === undefined ? undefined : `${mountPath}/${secretPath}${where}${which}`;
  if (variable === undefined) return secret ?? 'config.load';
  return secret === undefined ? `variable ${variable}` : `variable ${variable}, which refers to ${secret}`;
}

/** Where a value came from, as messages call it. @internal */
export function placeOfOrigin({ mountPath, secretPath, variable }: Omit<Origin, 'overrides'>): string {
  if (secretPath !== '') return `secret ${quoted(secretPath)} in mount ${quoted(mountPath)}`;
  return variable === undefined ? '"config.load"' : `variable ${printable(variable)}`;
}
