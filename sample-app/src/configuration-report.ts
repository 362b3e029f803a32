import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { VaultService } from 'nestjs-vault';
import type { MaskedValue } from './masked-value.js';
import { maskValue } from './masked-value.js';

/** One configuration key, and where its value came from. */
export interface ReportedKey {
  readonly key: string;
  readonly value: MaskedValue;
  /** The environment variable that holds it; the rest is absent then, unless the variable refers to a secret. */
  readonly variable: string | undefined;
  readonly mountPath: string | undefined;
  readonly secretPath: string | undefined;
  readonly version: number | undefined;
  readonly loadedAt: string | undefined;
}

/** What the page shows. */
export interface Report {
  readonly keys: readonly ReportedKey[];
  readonly session: {
    readonly state: string;
    readonly accessor: string | undefined;
    readonly policies: readonly string[];
    readonly expiresAt: string | undefined;
  };
}

/** Tells which configuration came from where. The only provider here that knows there is a Vault. */
@Injectable()
export class ConfigurationReport {
  constructor(
    private readonly vault: VaultService,
    private readonly config: ConfigService,
  ) {}

  create(): Report {
    const { state, accessor, policies, expiresAt } = this.vault.session;
    return {
      keys: this.vault.origins().map(({ key, variable, mountPath, secretPath, version, loadedAt }) => ({
        key,
        value: maskValue(this.config.get(key)),
        variable,
        mountPath,
        secretPath,
        version,
        loadedAt: loadedAt?.toISOString(),
      })),
      session: { state, accessor, policies, expiresAt: expiresAt?.toISOString() },
    };
  }
}
