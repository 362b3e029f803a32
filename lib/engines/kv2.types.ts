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
  /** Whether its data was removed permanently. */
  readonly destroyed: boolean;
}

/**
 * A KV v2 secret as read.
 * @publicApi
 */
export interface Kv2Secret<T> extends Kv2Version {
  /** The values as stored. `T` is not checked. */
  readonly data: T;
  /** Custom key-value metadata of the secret. */
  readonly customMetadata: Readonly<Record<string, string>>;
}

/**
 * Metadata of a KV v2 secret as a whole.
 * @publicApi
 */
export interface Kv2Metadata {
  /** Newest version, even if it is deleted. */
  readonly currentVersion: number;
  readonly oldestVersion: number;
  /** RFC 3339. */
  readonly createdTime: string;
  /** RFC 3339. */
  readonly updatedTime: string;
  /** Number of versions to keep; 0: the setting of the mount. */
  readonly maxVersions: number;
  /** Whether writes need `cas`. */
  readonly casRequired: boolean;
  /** Vault duration such as `3h25m19s`; `0s` = never. */
  readonly deleteVersionAfter: string;
  readonly customMetadata: Readonly<Record<string, string>>;
  /** All known versions, oldest first. */
  readonly versions: readonly Kv2Version[];
}
