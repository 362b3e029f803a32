import type { VaultSession } from '../auth/session.js';
import type { VaultClient } from '../client/vault-client.js';
import type { LoadedConfiguration } from '../config/configuration.js';
import type { VaultService } from '../vault.service.js';

/**
 * What one boot has made: a session, the configuration read with it, and the service over both.
 * @internal
 */
export class VaultRuntime {
  #closing: Promise<void> | undefined;

  constructor(
    readonly service: VaultService,
    readonly configuration: LoadedConfiguration,
    private readonly session: VaultSession,
    private readonly client: VaultClient,
  ) {}

  /** Gives the token back and closes every connection. Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.session.close().then(() => this.client.close());
    return this.#closing;
  }
}
