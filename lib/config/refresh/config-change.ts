/**
 * A change of the configuration in a running application. Never holds a value.
 * @publicApi
 */
export interface VaultConfigChange {
  /** Keys that are new, have another value, or are gone, as `ConfigService.get` takes them. */
  readonly keys: readonly string[];
  /** Those of them that are gone; missing when none is. */
  readonly removed?: readonly string[];
  /** Secrets behind them that have a new version. */
  readonly secrets: readonly VaultSecretChange[];
  /** When it was applied. */
  readonly at: Date;
}

/**
 * A secret that has a new version; one of the versions is missing when the secret was not there before, or is gone, and both for
 * a secret of a KV v1 engine, which has no versions.
 * @publicApi
 */
export interface VaultSecretChange {
  /** Namespace of the server, where the source names one of its own. */
  readonly namespace?: string;
  readonly mountPath: string;
  readonly secretPath: string;
  /** Version before; missing when the secret was not there. */
  readonly from?: number;
  /** Version now; missing when the secret is gone. */
  readonly to?: number;
}
