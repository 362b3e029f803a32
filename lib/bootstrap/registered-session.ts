import type { Login } from '../auth/login-method.js';

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
