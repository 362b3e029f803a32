import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { VaultService } from 'nestjs-vault';

/** One configuration key as the page shows it. */
export interface ReportedKey {
  readonly key: string;
  readonly path: string;
  readonly version: number;
  readonly loadedAt: string;
  /** Type and dots; nothing that depends on the value. */
  readonly value: string;
}

/** What the page shows. */
export interface Report {
  readonly session: {
    readonly state: string;
    readonly accessor: string | undefined;
    readonly policies: readonly string[];
    readonly expiresAt: string | undefined;
  };
  readonly keys: readonly ReportedKey[];
}

/** Tells which configuration came from where. The only class here that knows there is a Vault. */
@Injectable()
export class ConfigurationReport {
  constructor(
    private readonly vault: VaultService,
    private readonly config: ConfigService,
  ) {}

  create(): Report {
    const { state, accessor, policies, expiresAt } = this.vault.session;
    return {
      session: { state, accessor, policies, expiresAt: expiresAt?.toISOString() },
      keys: this.vault.origins().map(({ key, mountPath, secretPath, version, loadedAt }) => ({
        key,
        path: `${mountPath}/${secretPath}`,
        version,
        loadedAt: loadedAt.toISOString(),
        value: `•••••• (${kind(this.config.get(key))})`,
      })),
    };
  }
}

function kind(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return value === null ? 'null' : typeof value;
}
