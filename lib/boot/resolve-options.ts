import { checkCredential, missingVariables } from '../auth/credential.js';
import { createLoginMethod, defaultAuth } from '../auth/login-methods.js';
import { noLogin } from '../auth/methods/token.auth.js';
import type { LoginMethod } from '../auth/login.js';
import type { ClientOptions } from '../client/client-options.js';
import { CONFIG_SHAPE } from '../config/config.options.js';
import type { ConfigPlan } from '../config/plan.js';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { resolveConfig } from '../config/resolve-config.js';
import type { ResolvedSnapshot } from '../config/snapshot/snapshot.options.js';
import { resolveSnapshot } from '../config/snapshot/snapshot.options.js';
import type { VaultBootUnsealOptions, VaultModuleOptions } from '../vault.options.js';
import { formatList } from '../errors/format.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError, VaultConfigurationError, VaultInvalidOptionError } from '../errors/index.js';
import type { Shape } from '../options/check-options.js';
import { checkOptions, namespaceText, typeOf, positiveNumber } from '../options/check-options.js';
import { expandedReferences, readEnvironment } from '../options/env-file.js';
import { readVariable, VARIABLES } from '../options/environment.js';
import { continuing, registeredSessionFor } from './registered-session.js';
import { checkEndpoint, checkEndpoints, resolveEndpoints } from './resolve-endpoint.js';
import { REQUEST_SHAPE, resolveRequest } from './resolve-request.js';
import { resolveTls, TLS_SHAPE } from './resolve-tls.js';

/** Options checked and complete. @internal */
export interface ResolvedOptions {
  readonly transport: ClientOptions;
  readonly login: LoginMethod;
  readonly config: ConfigPlan;
  readonly snapshot: ResolvedSnapshot | undefined;
  readonly bootTimeoutMs: number;
  readonly shutdown: { readonly revoke: boolean; readonly timeoutMs: number };
  readonly unseal: VaultBootUnsealOptions | undefined;
}

/** What the options of the module may be. @internal */
export const OPTIONS_SHAPE: Shape = {
  endpoint: checkEndpoints,
  enabled: typeOf('boolean'),
  namespace: namespaceText,
  auth: typeOf('object'),
  tls: TLS_SHAPE,
  request: REQUEST_SHAPE,
  boot: { timeoutMs: positiveNumber },
  config: CONFIG_SHAPE,
  shutdown: { revoke: typeOf('boolean'), timeoutMs: positiveNumber },
  unseal: {
    keys: (value) =>
      Array.isArray(value) && value.length > 0 && !value.some((key) => checkCredential(key))
        ? undefined
        : 'a list of credentials, not empty',
    endpoints: (value) =>
      Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? undefined : 'a list of addresses',
    reset: typeOf('boolean'),
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
  checkOptions(options, OPTIONS_SHAPE);
  const { shutdown = {}, unseal } = options;
  const registered = registeredSessionFor(options);
  const auth = options.auth ?? defaultAuth();
  const environment = await readEnvironment();
  const tls = resolveTls(options.tls);
  const settings = await collect(
    {
      endpoints: () => resolveEndpoints(options.endpoint),
      tls: () => tls,
      login: async () => continuing(createLoginMethod(auth ?? { method: 'token' }, { tls: await tls }), registered),
      config: () => resolveConfig(options.config, environment, features),
      namespace: () => options.namespace ?? readVariable(VARIABLES.namespace),
      request: () => resolveRequest(options.request),
      snapshot: () => resolveSnapshot(options.config?.snapshot),
    },
    missingCredentials(auth),
  );
  const { config, login, namespace, snapshot } = settings;
  const [endpoint, ...otherEndpoints] = settings.endpoints;
  if (config.references) refuseExpanded(await expandedReferences(), config.references.literal);
  return {
    transport: {
      endpoint,
      otherEndpoints,
      namespace: namespace === '' ? undefined : namespace,
      tls: settings.tls,
      ...settings.request,
    },
    login,
    config,
    snapshot,
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

type Settings<S> = { readonly [K in keyof S]: S[K] extends () => infer R ? Awaited<R> : never };

/**
 * Resolves several settings and reports all that are missing or wrong together.
 *
 * @param known errors that are reported with them; alone, they are left to the login, which finds them too
 * @throws the `VaultError` of the only setting that failed, else VaultConfigurationError listing all
 */
async function collect<S extends Readonly<Record<string, () => unknown>>>(
  settings: S,
  known: readonly VaultError[],
): Promise<Settings<S>> {
  const results = await Promise.allSettled(Object.values(settings).map((resolve) => Promise.resolve().then(resolve)));
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  // One failure may reach several settings: a login method may need those of TLS.
  const distinct = failures.length > 0 ? [...new Set([...failures, ...known])] : [];
  if (distinct.length > 1 && distinct.every(isVaultError)) {
    throw new VaultConfigurationError(`${distinct.length} settings are missing or wrong:`, distinct);
  }
  if (distinct.length > 0) throw distinct.find((error) => !isVaultError(error)) ?? distinct[0];
  const values = results.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  return Object.fromEntries(Object.keys(settings).map((name, index) => [name, values[index]])) as Settings<S>;
}

/** Variables with credentials that are not set, so that they are reported with all other settings instead of one at a time. */
function missingCredentials(auth: VaultModuleOptions['auth']): VaultError[] {
  if (auth === undefined) return [noLogin()];
  const { mfa: _askedOnlyWhenNeeded, ...options } = auth as { readonly mfa?: unknown };
  return missingVariables(options, 'auth');
}

function refuseExpanded(names: readonly string[], literal: readonly string[]): void {
  const refused = names.filter((name) => !literal.includes(name));
  if (refused.length === 0) return;
  throw new VaultInvalidOptionError(
    `"expandVariables" of ConfigModule has taken references in .env for variables and expanded them: ${formatList(refused)}. Leave the option out, or build these strings in "config.load". If such a string is intended, list its key in "config.references.literal".`,
  );
}
