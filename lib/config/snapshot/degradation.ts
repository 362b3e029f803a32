/**
 * Present while the application runs on a snapshot, because Vault was unavailable at boot.
 * @publicApi
 */
export interface VaultDegradation {
  /** Time when the application booted from the snapshot. */
  readonly since: Date;
  /** Time when the values were read from Vault. */
  readonly snapshotTakenAt: Date;
  /** Reason why Vault was unavailable. Safe to log. */
  readonly because: string;
}
