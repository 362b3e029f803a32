import type { JsonObject } from '../client/response.js';

/**
 * Where a configuration value came from. Never holds the value.
 * @publicApi
 */
export interface VaultValueOrigin {
  readonly key: string;
  readonly mountPath: string;
  readonly secretPath: string;
  readonly version: number;
  /** When the version was written (RFC 3339). */
  readonly createdTime: string;
  /** When it was read into this process. */
  readonly loadedAt: Date;
}

/** The values of one load, and where each came from. @internal */
export interface LoadedConfiguration {
  readonly values: JsonObject;
  readonly origins: ReadonlyMap<string, VaultValueOrigin>;
}
