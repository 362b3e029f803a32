import { checkCredential } from '../auth/credential.js';
import { createLoginMethod } from '../auth/login-methods.js';
import type { LoginMethod } from '../auth/login-method.js';
import type { TransportOptions } from '../client/transport.options.js';
import { CONFIG_SHAPE } from '../config/config.options.js';
import type { ConfigPlan } from '../config/config-layer.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { resolveConfig } from '../config/resolve-config.js';
import { withoutExported } from '../config/variables/exported-variables.js';
import type { ResolvedSnapshot } from '../config/snapshot/snapshot.options.js';
import { resolveSnapshot } from '../config/snapshot/snapshot.options.js';
import type { VaultBootUnsealOptions, VaultModuleOptions } from '../vault.options.js';
import { shortList } from '../config/printable.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { Shape } from '../options/check-options.js';
import { checkOptions, headerText, is, positive } from '../options/check-options.js';
import { expandedReferences, readEnvironment } from '../options/env-file.js';
import { fromEnvironment, VARIABLES } from '../options/environment.js';
import { checkEndpoint, checkEndpoints, resolveEndpoints } from './resolve-endpoint.js';
import { REQUEST_SHAPE, resolveRequest } from './resolve-request.js';
import { resolveTls, TLS_SHAPE } from './resolve-tls.js';

/** Options checked and complete. @internal */
export interface ResolvedOptions {
  readonly transport: TransportOptions;
  readonly login: LoginMethod;
  readonly config: ConfigPlan;
  readonly snapshot: ResolvedSnapshot | undefined;
  readonly bootTimeoutMs: number;
  readonly shutdown: { readonly revoke: boolean; readonly timeoutMs: number };
  readonly unseal: VaultBootUnsealOptions | undefined;
}

const SHAPE: Shape = {
  endpoint: checkEndpoints,
  namespace: headerText,
  auth: is('object'),
  tls: TLS_SHAPE,
  request: REQUEST_SHAPE,
  boot: { timeoutMs: positive },
  config: CONFIG_SHAPE,
  shutdown: { revoke: is('boolean'), timeoutMs: positive },
  unseal: {
    keys: (value) =>
      Array.isArray(value) && value.length > 0 && !value.some((key) => checkCredential(key))
        ? undefined
        : 'a list of credentials, not empty',
    endpoints: (value) =>
      Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? undefined : 'a list of addresses',
    reset: is('boolean'),
  },
};

/**
 * Checks the options and fills in what comes from the environment.
 *
 * @throws VaultInvalidOptionError naming the option
 * @internal
 */
export async function resolveOptions(
  options: VaultModuleOptions,
  features: Iterable<NamespaceDefinition> = [],
): Promise<ResolvedOptions> {
  checkOptions(options, SHAPE);
  const [endpoint, ...otherEndpoints] = resolveEndpoints(options.endpoint);
  const tls = await resolveTls(options.tls);
  const login = createLoginMethod(options.auth ?? { method: 'token' }, { tls });
  const { shutdown = {}, unseal } = options;
  const config = resolveConfig(options.config, withoutExported(await readEnvironment()), features);
  if (config.references) refuseExpanded(await expandedReferences(), config.references.literal);
  const namespace = options.namespace ?? fromEnvironment(VARIABLES.namespace);
  return {
    transport: {
      endpoint,
      otherEndpoints,
      namespace: namespace === '' ? undefined : namespace,
      tls,
      ...resolveRequest(options.request),
    },
    login,
    config,
    snapshot: resolveSnapshot(options.config?.snapshot),
    bootTimeoutMs: options.boot?.timeoutMs ?? 30_000,
    shutdown: { revoke: shutdown.revoke ?? true, timeoutMs: shutdown.timeoutMs ?? 2_000 },
    unseal: unseal && {
      ...unseal,
      ...(unseal.endpoints && {
        endpoints: unseal.endpoints.map((entry) => checkEndpoint(entry, '"unseal.endpoints"')),
      }),
    },
  };
}

function refuseExpanded(names: readonly string[], literal: readonly string[]): void {
  const refused = names.filter((name) => !literal.includes(name));
  if (refused.length === 0) return;
  throw new VaultInvalidOptionError(
    `"expandVariables" of ConfigModule has taken references in .env for variables of its own, and left no more of them than their ends: ${shortList(refused)}. Leave the option out, or make these texts in "config.load". What is meant as it is belongs into "config.references.literal".`,
  );
}
