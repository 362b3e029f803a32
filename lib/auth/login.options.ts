import type { Shape } from '../options/check-options.js';
import { namespaceText, typeOf } from '../options/check-options.js';
import { encodeMount } from '../client/path.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { MfaPasscodes } from './mfa.js';
import { checkMfa } from './mfa.js';

/**
 * Options of every login method.
 * @publicApi
 */
export interface LoginOptions {
  /**
   * Vault namespace to log in to, if the secrets are in another one. `''` is the root namespace. Default: `namespace`
   * of the module.
   */
  readonly namespace?: string;
}

/**
 * Options of every login method that is mounted in the server.
 * @publicApi
 */
export interface MountedLoginOptions extends LoginOptions {
  /** Path where the auth method is enabled, without `auth/`. Default: the name of the method. */
  readonly mountPath?: string;
  /**
   * Passcodes for a second factor, by the name, id or type of the method. Default: none; if the server requires a
   * factor, the error names it.
   */
  readonly mfa?: MfaPasscodes;
}

/** Checks for {@link LoginOptions}. @internal */
export const LOGIN: Shape = { namespace: namespaceText };

/** Checks for {@link MountedLoginOptions}. @internal */
export const MOUNTED: Shape = { ...LOGIN, mountPath: typeOf('string'), mfa: checkMfa };

/** The mount of an auth method, encoded. @throws VaultInvalidPathError naming `auth.mountPath` @internal */
export function authMountPath(method: string, { mountPath }: MountedLoginOptions): string {
  return encodeMount(mountPath ?? method, 'auth.mountPath');
}

/**
 * The options themselves, when those that have no default are there. Types say so too, but not to everybody.
 *
 * @throws VaultInvalidOptionError naming the first that is missing
 * @internal
 */
export function requireOptions<A extends { readonly method: string }>(auth: A, ...names: (keyof A & string)[]): A {
  const missing = names.find((name) => auth[name] === undefined);
  if (missing === undefined) return auth;
  throw new VaultInvalidOptionError(`"auth.${missing}" is missing; the method "${auth.method}" needs it.`);
}
