/**
 * Metadata of one version of a KV v2 secret.
 * @publicApi
 */
export interface Kv2Version {
  readonly version: number;
  /** RFC 3339. */
  readonly createdTime: string;
  /** RFC 3339, once deleted or scheduled for deletion. */
  readonly deletionTime?: string;
  /** Whether its data is gone for good. */
  readonly destroyed: boolean;
}

/**
 * A KV v2 secret as read.
 * @publicApi
 */
export interface Kv2Secret<T> extends Kv2Version {
  /** The values as stored. `T` is what the caller says; it is not checked. */
  readonly data: T;
  /** Free-form text pairs kept beside the secret. */
  readonly customMetadata: Readonly<Record<string, string>>;
}

/**
 * Metadata of a KV v2 secret as a whole.
 * @publicApi
 */
export interface Kv2Metadata {
  /** Newest version, deleted or not. */
  readonly currentVersion: number;
  readonly oldestVersion: number;
  /** RFC 3339. */
  readonly createdTime: string;
  /** RFC 3339. */
  readonly updatedTime: string;
  /** Versions kept; 0 = the mount's setting. */
  readonly maxVersions: number;
  /** Whether writes need `cas`. */
  readonly casRequired: boolean;
  /** Vault duration such as `3h25m19s`; `0s` = never. */
  readonly deleteVersionAfter: string;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** Every version still known, oldest first. */
  readonly versions: readonly Kv2Version[];
}
