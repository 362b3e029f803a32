/**
 * Says that the application runs on a snapshot of its configuration, because Vault could not be reached at boot.
 * @publicApi
 */
export interface VaultDegradation {
  /** When the application started on it. */
  readonly since: Date;
  /** When the values were read from Vault. */
  readonly snapshotTakenAt: Date;
  /** Why Vault could not be used. */
  readonly because: string;
}
