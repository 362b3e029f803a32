import { suggestedCommand } from '../../client/suggested-command.js';
import type { Requester } from '../../client/vault-client.js';
import { VaultAuthenticationError } from '../../errors/index.js';
import { redact } from '../../errors/redact.js';
import { typeOf } from '../../options/check-options.js';
import type { Credential } from '../credential.js';
import { checkCredential, describeCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, requireOptions } from '../login.js';
import type { LoginFailure } from '../submit-login.js';
import { submitLogin } from '../submit-login.js';

/**
 * A JWT that is signed by another system: CI, a cloud, a service mesh.
 * @see https://openbao.org/api-docs/auth/jwt/#jwt-login
 * @publicApi
 */
export interface JwtAuth extends MountedLoginOptions {
  readonly method: 'jwt';
  /** The JWT. It is read again at every login, because it expires soon. */
  readonly jwt: Credential;
  /** Default: `default_role` of the mount. */
  readonly role?: string;
}

/** @internal */
export class JwtLogin implements LoginMethod {
  readonly method = 'jwt';
  readonly #options: JwtAuth;
  readonly #mountPath: string;

  constructor(options: JwtAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('jwt', options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { jwt: credential, role } = this.#options;
    const source = describeCredential(credential);
    const jwt = checkJwt(await resolveCredential(credential, 'auth.jwt'), 'auth.jwt', source);
    const fix = 'Get a new one from its issuer, and hand it over as a file or function, which is asked at every login.';
    return submitLogin(client, {
      method: 'jwt',
      mountPath: this.#mountPath,
      path: 'login',
      body: { jwt, ...(role !== undefined && { role }) },
      options: this.#options,
      advice: 'Check "auth.jwt" and "auth.role": claims, audience and subject have to be those the role is bound to.',
      classify: (said, namespace) =>
        diagnoseRole(this.#mountPath, role, said, namespace) ?? diagnoseJwt(jwt, source, fix, said),
      signal,
    });
  }
}

/** @internal */
export const jwt: LoginMethodDefinition<JwtAuth> = {
  shape: { ...MOUNTED_LOGIN_OPTIONS, jwt: checkCredential, role: typeOf('string') },
  create: (auth) => new JwtLogin(requireOptions(auth, 'jwt')),
};

const THREE_PARTS = /^[\w-]+\.([\w-]+)\.[\w-]+$/;
const MAX_CLAIM_LENGTH = 200;

/**
 * Refuses what cannot be a JWT before it is sent.
 *
 * @param option the option it was given in
 * @param source where it came from, for the message
 * @internal
 */
export function checkJwt(jwt: string, option: string, source: string): string {
  if (THREE_PARTS.test(jwt)) return jwt;
  throw new VaultAuthenticationError(
    `"${option}": what ${source} holds is not a JWT (three parts of base64url, joined by dots). Check how it was copied.`,
    { reason: 'jwt-malformed' },
  );
}

/**
 * Why a JWT was refused, from the words of the server and from what the JWT says of itself. Its signature is not checked:
 * nothing here decides who may log in.
 *
 * @param source where it came from, for the message
 * @param fix how a fresh one is come by
 * @internal
 */
export function diagnoseJwt(jwt: string, source: string, fix: string, said: string): LoginFailure | undefined {
  const { exp, nbf, iss, aud } = claimsOf(jwt);
  const now = Date.now() / 1000;
  // The claims first: some servers say no more than "permission denied".
  if (typeof exp === 'number' && exp < now)
    return { reason: 'jwt-expired', advice: `The JWT from ${source} expired ${ago(now - exp)} ago. ${fix}` };
  if (typeof nbf === 'number' && nbf > now + 1)
    return {
      reason: 'jwt-not-yet-valid',
      advice: `The JWT from ${source} is not valid before ${ago(nbf - now)} from now. Check the clocks of this machine and of the issuer.`,
    };
  if (/token is expired|\(exp\)/.test(said))
    return {
      reason: 'jwt-expired',
      advice: `By the clock of this machine the JWT from ${source} is still valid, so the clocks of the two machines differ. Synchronize them.`,
    };
  if (/not yet valid|\(nbf\)|\(iat\)/.test(said))
    return {
      reason: 'jwt-not-yet-valid',
      advice: `The JWT from ${source} is too young for the server: the clock of its issuer is ahead. Synchronize them.`,
    };
  if (/\(aud\)|audience/.test(said))
    return {
      reason: 'jwt-audience',
      advice: `The audience ("aud") of the JWT from ${source} is ${shown(aud)}. Ask its issuer for the one in "bound_audiences" of the role, or change that.`,
    };
  if (/\(iss\)/.test(said))
    return {
      reason: 'jwt-issuer',
      advice: `The issuer ("iss") of the JWT from ${source} is ${shown(iss)}. Compare "bound_issuer" in the configuration of the auth mount.`,
    };
  if (/signature/.test(said))
    return {
      reason: 'jwt-signature',
      advice: `No key of the auth mount has signed the JWT from ${source}. Compare its issuer, ${shown(iss)}, with the configuration of the mount.`,
    };
  return undefined;
}

/** The role the server does not know. @internal */
export function diagnoseRole(
  mountPath: string,
  role: string | undefined,
  said: string,
  namespace: string | undefined,
): LoginFailure | undefined {
  if (/missing role/.test(said))
    return { reason: 'role', advice: 'Set "auth.role", or "default_role" in the configuration of the auth mount.' };
  if (!/role .{0,200}(could not be found|not found)|invalid role name/.test(said)) return undefined;
  const name = role === undefined ? 'the default role' : `the role ${JSON.stringify(redact(role))}`;
  return {
    reason: 'role',
    advice: `Check "auth.role": ${name} does not exist at this mount ("${suggestedCommand('list', { namespace, names: [`auth/${mountPath}/role`] })}" shows them).`,
  };
}

/** The claims of a JWT; none when it cannot be read. @internal */
export function claimsOf(jwt: string): Readonly<Record<string, unknown>> {
  try {
    const text = Buffer.from(THREE_PARTS.exec(jwt)?.[1] ?? '', 'base64url').toString('utf8');
    const claims: unknown = JSON.parse(text);
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function shown(claim: unknown): string {
  return claim === undefined ? 'missing' : redact(JSON.stringify(claim).slice(0, MAX_CLAIM_LENGTH));
}

function ago(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} seconds`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`;
}
