import type { SecretAddress, SecretRead } from '../sources/read-secrets.js';

/** A version of a secret, and where it is. @internal */
interface SecretVersion {
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version: number;
  /** When the version was written (RFC 3339). */
  readonly createdTime: string;
  /** When it was read into this process. */
  readonly loadedAt: Date;
}

interface Means {
  /** The environment variable that holds the value, or the reference to it. */
  readonly variable?: string;
  /** Whether the schema made it: a default, or a key that the schema has renamed. The secret has none of this name. */
  readonly fromSchema?: true;
  /** The secret is in a KV v1 engine, which has neither `version` nor `createdTime`. */
  readonly kvVersion?: 1;
  /** Namespace of the server, where the source names one of its own. */
  readonly namespace?: string;
}

/**
 * Where a configuration value came from: the version of the secret, none of which is there for a value that stands in an
 * environment variable itself, or that `config.load` has made (among what another one hides). Never holds the value.
 * @publicApi
 */
export interface VaultValueOrigin extends Means, Partial<SecretVersion> {
  readonly key: string;
  /** Sources of lower priority that have this key too and were passed over, nearest first. */
  readonly hides: readonly Omit<VaultValueOrigin, 'hides'>[];
}

/** A place that values come from; those of one secret share it. @internal */
export interface Origin extends Means, SecretVersion {
  readonly hides: readonly Omit<Origin, 'hides'>[];
}

/** The origin of a value that is in no secret. @internal */
export const NO_SECRET: Origin = {
  mountPath: '',
  secretPath: '',
  version: 0,
  createdTime: '',
  loadedAt: new Date(0),
  hides: [],
};

/** @internal */
export function originOf(
  { namespace, mountPath, secretPath }: SecretAddress,
  { secret: { version, createdTime }, readAt }: Extract<SecretRead, { readAt: Date }>,
): Origin {
  const place = namespace === undefined ? { mountPath, secretPath } : { namespace, mountPath, secretPath };
  const engine = version === 0 ? { kvVersion: 1 as const } : {};
  return { ...place, ...engine, version, createdTime, loadedAt: readAt, hides: NO_SECRET.hides };
}

/** This origin, of a value that hides one of that other origin as well. A variable does not hide itself. @internal */
export function hiding(origin: Origin, { hides, ...hidden }: Origin): Origin {
  const isSame = hidden.variable !== undefined && hidden.variable === origin.variable;
  return { ...origin, hides: [...origin.hides, ...(isSame ? [] : [hidden]), ...hides] };
}

/** The origin of the value at a path. @internal */
export function valueOrigin(path: readonly string[], { hides, ...origin }: Origin): VaultValueOrigin {
  const key = path.join('.');
  return { key, ...told(origin), hides: hides.map((hidden) => ({ key, ...told(hidden) })) };
}

function told({ mountPath, secretPath, version, createdTime, loadedAt, ...means }: Omit<Origin, 'hides'>) {
  if (secretPath === '') return means;
  const written = version === 0 ? {} : { version, createdTime };
  return { ...means, mountPath, secretPath, ...written, loadedAt };
}

/** Whether there is anything to tell: what the application's own factories made is not from Vault. @internal */
export function isFromVault({ secretPath, variable }: Origin): boolean {
  return secretPath !== '' || variable !== undefined;
}
