import { createHash } from 'node:crypto';
import { defaultAuth } from '../auth/login-methods.js';
import type { Login, LoginMethod } from '../auth/login.js';
import { readVariable, VARIABLES } from '../options/environment.js';
import type { VaultModuleOptions } from '../vault.options.js';
import { resolveEndpoints } from './resolve-endpoint.js';

/**
 * What `nestjs-vault/register` leaves to the application. Holds no secret that an inspector would show.
 * @internal
 */
export interface RegisteredSession {
  /** Of the session; `undefined` when options are functions and cannot be compared. */
  readonly identity: string | undefined;
  /** Hands the login over, once. */
  takeLogin(): Login | undefined;
}

/** The ES module and CommonJS copies of the package share it. */
const KEY = Symbol.for('nestjs-vault:registered-session');

/** @internal */
export function publishRegisteredSession(session: RegisteredSession): void {
  Object.defineProperty(globalThis, KEY, { value: session, configurable: true });
}

/** @internal */
export function registeredSession(): RegisteredSession | undefined {
  return (globalThis as { [KEY]?: RegisteredSession })[KEY];
}

/** The session of `nestjs-vault/register` when these options describe the same one. @internal */
export function registeredSessionFor(options: VaultModuleOptions): RegisteredSession | undefined {
  const session = registeredSession();
  return session?.identity !== undefined && session.identity === sessionIdentity(options) ? session : undefined;
}

/**
 * Tells sessions apart: endpoints, namespace, and how to log in.
 *
 * @returns `undefined` when they cannot be compared, because of a function or a setting that is wrong
 * @internal
 */
export function sessionIdentity(options: VaultModuleOptions): string | undefined {
  let comparable = true;
  const sorted = (_key: string, value: unknown): unknown => {
    if (typeof value === 'function') comparable = false;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
  };
  try {
    const auth = options.auth ?? defaultAuth();
    const parts = {
      endpoints: resolveEndpoints(options.endpoint),
      namespace: options.namespace ?? readVariable(VARIABLES.namespace) ?? '',
      auth,
      ...(auth?.method === 'cert' && { tls: options.tls }),
    };
    const text = JSON.stringify(parts, sorted);
    return comparable ? createHash('sha256').update(text).digest('hex') : undefined;
  } catch {
    return undefined;
  }
}

/** A login method whose first login is the one that `nestjs-vault/register` has made. @internal */
export function continuing(method: LoginMethod, session: RegisteredSession | undefined): LoginMethod {
  if (!session) return method;
  return {
    method: method.method,
    loginTimeoutMs: method.loginTimeoutMs,
    login: async (client, signal) => session.takeLogin() ?? method.login(client, signal),
    ...(method.watch && { watch: (changed: () => void) => method.watch?.(changed) ?? (() => undefined) }),
  };
}
