import { loadNodeVault, NodeVaultBinding } from '../client/node-vault.js';
import type { Pipeline } from '../client/request-pipeline.js';
import { fixedToken } from '../client/token-source.js';
import { VaultClient } from '../client/vault-client.js';
import type { VaultConfigOptions } from '../config/config.options.js';
import { ConfigurationLoader } from '../config/configuration-loader.js';
import { ConfigOutputs } from '../config/outputs.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { definitionOf } from '../config/namespaces/config-namespace.js';
import { resolveConfig } from '../config/resolve-config.js';
import { VaultDisabledError, VaultInvalidOptionError } from '../errors/index.js';
import { EventHub } from '../observability/event-hub.js';
import { readEnvironment } from '../options/env-file.js';
import { SessionManager } from '../session/session-manager.js';
import { VaultSys } from '../sys/vault-sys.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { BootAttempts } from './boot-attempts.js';
import type { Log } from '../observability/log-events.js';
import { Load } from './load.js';

const VARIABLE = 'NESTJS_VAULT_ENABLED';

/**
 * The option, else the variable, else `true`.
 *
 * @throws VaultInvalidOptionError when the variable is neither true nor false
 * @internal
 */
export async function isEnabled({ enabled }: VaultModuleOptions): Promise<boolean> {
  if (enabled !== undefined) return enabled;
  const text = (await readEnvironment())[VARIABLE]?.trim().toLowerCase() ?? '';
  if (['', 'true', '1'].includes(text)) return true;
  if (['false', '0'].includes(text)) return false;
  throw new VaultInvalidOptionError(`${VARIABLE} must be "true" or "false".`);
}

/**
 * A boot without Vault: `config.load`, references with a default and the defaults of schemas, and a service whose calls are
 * rejected.
 *
 * @throws VaultConfigurationError listing all references without a default, and namespaces whose schema has no defaults
 * @internal
 */
export async function bootDisabled(
  options: VaultModuleOptions,
  log: Log,
  features: Iterable<NamespaceDefinition> = [],
): Promise<Load> {
  const environment = await readEnvironment();
  const plan = { ...resolveConfig(withoutVault(options.config), environment, features), disabled };
  const events = new EventHub();
  const client = await rejectingClient();
  const login = { method: 'disabled', login: () => Promise.reject(disabled('log in')) };
  const session = new SessionManager(client, login, { shutdown: { revoke: false, timeoutMs: 1 } });
  const sys = new VaultSys(client, () => Promise.resolve(client));
  const loader = new ConfigurationLoader(client, plan);
  const attempts = new BootAttempts(
    (signal, diagnostics) => {
      diagnostics.step = 'a factory in "config.load", or a schema';
      return loader.load({ signal });
    },
    options.boot?.timeoutMs ?? 30_000,
    () => 'a disabled Vault',
  );
  const loaded = await attempts.once();
  const outputs = new ConfigOutputs(plan);
  await outputs.write(loaded);
  log.log(`Vault is disabled ("enabled: false" or ${VARIABLE}=false): nothing is read from it.`);
  return new Load({ loaded }, () => attempts.once(), loader, outputs, { session, client, sys, events });
}

/** What has nothing to work on is left out. Namespaces stay: there are consumers of their values. */
function withoutVault(config: VaultConfigOptions = {}): VaultConfigOptions {
  const { sources, layout: _, schema: __, refresh: ___, snapshot: ____, exportToProcessEnv, ...others } = config;
  return {
    ...others,
    ...(sources && { sources: sources.filter((source) => definitionOf(source)) }),
    ...(exportToProcessEnv !== undefined && !Array.isArray(exportToProcessEnv) && { exportToProcessEnv }),
  };
}

/** A client without a connection, whose calls are rejected. */
async function rejectingClient(): Promise<VaultClient> {
  const pipeline: Pipeline = {
    endpoint: 'http://vault.invalid',
    endpoints: [],
    endpointStatus: [],
    send: ({ operation, method, path }) => Promise.reject(disabled(operation ?? `${method} ${path}`)),
    close: () => Promise.resolve(),
  };
  return new VaultClient(pipeline, fixedToken(undefined), new NodeVaultBinding(await loadNodeVault(), pipeline));
}

function disabled(operation: string): VaultDisabledError {
  return new VaultDisabledError(
    `Cannot ${operation}: Vault is disabled ("enabled: false" or ${VARIABLE}=false). Enable it, or give a default.`,
    { operation },
  );
}
