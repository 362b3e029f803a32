import { checkCredential } from '../auth/credential.js';
import { createLoginMethod } from '../auth/login-methods.js';
import type { LoginMethod } from '../auth/login-method.js';
import type { TransportOptions } from '../client/transport.options.js';
import { CONFIG_SHAPE } from '../config/config.options.js';
import type { ConfigPlan } from '../config/config-layer.js';
import { resolveConfig } from '../config/resolve-config.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { VaultBootUnsealOptions, VaultModuleOptions } from '../vault.options.js';
import type { Shape } from './check-options.js';
import { checkOptions, headerText, is, positive } from './check-options.js';
import { resolveTls, variable } from './environment.js';

/** Options checked and complete. @internal */
export interface ResolvedOptions {
  readonly transport: TransportOptions;
  readonly login: LoginMethod;
  readonly config: ConfigPlan;
  readonly bootTimeoutMs: number;
  readonly shutdown: { readonly revoke: boolean; readonly timeoutMs: number };
  readonly unseal: VaultBootUnsealOptions | undefined;
}

const pem = (value: unknown) =>
  typeof value === 'string' || Buffer.isBuffer(value) ? undefined : 'PEM text or a Buffer';

const SHAPE: Shape = {
  endpoint: is('string'),
  namespace: headerText,
  auth: is('object'),
  tls: {
    ca: (value) => (Array.isArray(value) ? value.map(pem).find((expected) => expected !== undefined) : pem(value)),
    cert: pem,
    key: pem,
    passphrase: is('string'),
    serverName: is('string'),
    rejectUnauthorized: is('boolean'),
  },
  request: { timeoutMs: positive, connectTimeoutMs: positive, maxConnections: positive },
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
export async function resolveOptions(options: VaultModuleOptions): Promise<ResolvedOptions> {
  checkOptions(options, SHAPE);
  const tls = await resolveTls(options.tls);
  const login = createLoginMethod(options.auth ?? { method: 'token' }, { tls });
  const { request = {}, shutdown = {}, unseal } = options;
  const namespace = options.namespace ?? namespaceOfEnvironment();
  return {
    transport: {
      endpoint: resolveEndpoint(options.endpoint),
      namespace: namespace === '' ? undefined : namespace,
      tls,
      timeoutMs: request.timeoutMs ?? 15_000,
      connectTimeoutMs: request.connectTimeoutMs ?? 5_000,
      maxConnections: Math.ceil(request.maxConnections ?? 8),
    },
    login,
    config: resolveConfig(options.config),
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

function namespaceOfEnvironment(): string | undefined {
  const value = variable('NAMESPACE');
  const expected = value === undefined ? undefined : headerText(value);
  if (expected === undefined) return value;
  throw new VaultInvalidOptionError(`VAULT_NAMESPACE (or BAO_NAMESPACE) must be ${expected}.`);
}

function resolveEndpoint(given: string | undefined): string {
  if (given !== undefined) return checkEndpoint(given, '"endpoint"');
  const name = process.env['BAO_ADDR'] === undefined ? 'VAULT_ADDR' : 'BAO_ADDR';
  const value = variable('ADDR');
  if (value !== undefined) return checkEndpoint(value, name);
  throw new VaultInvalidOptionError(
    '"endpoint" is missing. Set it to the address of Vault, such as "https://vault.example.com:8200", or set VAULT_ADDR.',
  );
}

/** The origin of an address. The value is not quoted in errors as long as it may hold a password. @internal */
export function checkEndpoint(value: string, what: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const example = 'Write scheme, host and port, such as "https://vault.example.com:8200".';
  // "vault:8200" parses as a URL with the scheme "vault:".
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || !/^https?:\/\//i.test(value)) {
    throw new VaultInvalidOptionError(`${what} is not an address with "http://" or "https://" before it. ${example}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new VaultInvalidOptionError(
      `${what} has a user name or password in it. Credentials belong in "auth". ${example}`,
    );
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new VaultInvalidOptionError(
      `${what} has a path, query or fragment behind the port. The API path is added by the module. ${example}`,
    );
  }
  return url.origin;
}
