import type { Log } from './observability/log-events.js';
import { boot } from './boot/boot.js';
import type { VaultModuleOptions } from './vault.options.js';

/** Standard output belongs to the program; what it should know goes to standard error. */
const QUIET: Log = {
  log: () => undefined,
  debug: () => undefined,
  error: (message) => console.error(`nestjs-vault: ${message}`),
  warn: (message) => console.warn(`nestjs-vault: ${message}`),
};

/**
 * Reads the configuration without a Nest application: for migrations, scripts and the command lines of ORMs. It takes
 * the options of `VaultModule`, gives what `ConfigService` would hold, and cleans up: the token it obtained
 * is revoked, every connection is closed, and the process can exit. Values written to files (`files`) and
 * to `process.env` (`exportToProcessEnv`) stay until the process exits.
 *
 * @param options what is left out comes from `BAO_…` and `VAULT_…` variables
 * @returns an object of its own for every call, nested as `as` says
 * @throws VaultConfigurationError listing every source that could not be read; otherwise the `VaultError` of a boot
 * @publicApi
 */
export async function loadVaultConfig(options: VaultModuleOptions = {}): Promise<Record<string, unknown>> {
  const runtime = await boot(options, { log: QUIET, once: true });
  try {
    return runtime.values();
  } finally {
    // What holds the paths of files needs the files: they go with the process, and so do variables.
    await runtime.disconnect();
  }
}
