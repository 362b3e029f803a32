import { suggestedCommand } from '../client/suggested-command.js';
import type { Requester } from '../client/vault-client.js';
import type { VaultAdvice, VaultError } from '../errors/index.js';
import {
  VaultAuthenticationError,
  VaultNotFoundError,
  VaultPermissionError,
  VaultRequestError,
  VaultServerError,
} from '../errors/index.js';
import type { Login } from './login-method.js';
import type { MountedLoginOptions } from './login.options.js';
import { missingNamespaceAdvice, hasNoExplanation, NON_VAULT_404_ADVICE, readLogin } from './read-login.js';
import type { MfaLogin } from './mfa.js';
import { completeMfa } from './mfa.js';

/** A login request of some method. @internal */
export interface LoginRequest {
  readonly method: string;
  /** Mount of the auth method, encoded. */
  readonly mountPath: string;
  /** What follows the mount: `login`, `login/alice`; encoded. */
  readonly path: string;
  readonly body: unknown;
  /** The options given, for namespace and second factor. */
  readonly options: MountedLoginOptions;
  /** What to check when the server refuses. */
  readonly advice: string;
  /** Recognizes a failure by what the server said, also one of the server itself (5xx); its advice replaces `advice`. */
  readonly classify?: ((serverErrors: string, namespace: string | undefined) => LoginFailure | undefined) | undefined;
  /** What must not come back in the server's words, besides the texts of the body. */
  readonly secrets?: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Why a login was refused. @internal */
export interface LoginFailure {
  /** `reason` of the error, such as `jwt-expired`. */
  readonly reason: string;
  /** What happened and what to do, in sentences. */
  readonly advice: string;
}

/**
 * Logs in, without sending any older token along, supplies a second factor when the server wants one, and checks that the
 * answer holds a usable token.
 *
 * @throws VaultAuthenticationError when the server refuses or answers without a token
 * @internal
 */
export async function submitLogin(client: Requester, login: LoginRequest): Promise<Login> {
  const operation = `log in with ${login.method} (auth/${login.mountPath})`;
  const path = `auth/${login.mountPath}/${login.path}`;
  const { namespace, mfa } = login.options;
  const { signal, secrets } = login;
  let body: unknown;
  try {
    ({ body } = await client.request({
      method: 'POST',
      path,
      operation,
      body: login.body,
      token: null,
      signal,
      ...(secrets && { secrets }),
      ...(namespace !== undefined && { namespace }),
    }));
  } catch (error) {
    throw explainRefusal(error, login, operation);
  }
  return completeLogin(client, body, { operation, path, namespace, passcodes: mfa, signal });
}

/**
 * The login in an answer, after its second factor.
 *
 * @throws VaultAuthenticationError when there is none
 * @internal
 */
export async function completeLogin(
  client: Requester,
  body: unknown,
  login: MfaLogin & { readonly path?: string },
): Promise<Login> {
  const requirement = (body as { auth?: { mfa_requirement?: unknown } | null } | undefined)?.auth?.mfa_requirement;
  const answer =
    typeof requirement === 'object' && requirement !== null ? await completeMfa(client, requirement, login) : body;
  return readLogin(answer, login);
}

/**
 * What a refused login means: the words of the server, and what to do.
 *
 * @returns the error itself when the server did not refuse the login but could not be asked
 * @internal
 */
export function explainRefusal(
  error: unknown,
  login: Pick<LoginRequest, 'method' | 'mountPath' | 'advice' | 'classify'> & Partial<Pick<LoginRequest, 'options'>>,
  operation: string,
): unknown {
  const said =
    error instanceof VaultRequestError ||
    error instanceof VaultPermissionError ||
    error instanceof VaultNotFoundError ||
    error instanceof VaultAuthenticationError ||
    error instanceof VaultServerError;
  if (!said || error.statusCode === undefined) return error;
  const { statusCode, namespace } = error;
  // The advice of the client is for ordinary paths: the advice for a login takes its place.
  const refusal = (advice: VaultAdvice[], reason = error.reason): VaultAuthenticationError =>
    error.as(VaultAuthenticationError, { operation, reason, advice });
  const known = namespaceMissing(error) ?? login.classify?.(error.serverErrors.join('; '), namespace);
  if (known) return refusal([{ id: 'check-login', text: known.advice }], known.reason);
  if (error instanceof VaultServerError) return error;
  if (error instanceof VaultNotFoundError && hasNoExplanation(error) && namespace === undefined) {
    return refusal([{ id: 'check-endpoint', text: NON_VAULT_404_ADVICE }]);
  }
  // The server gives the same response for a missing auth mount and for a locked user, so all possibilities are named.
  const advice: VaultAdvice[] = [{ id: 'check-login', text: login.advice }];
  if (statusCode === 403 || statusCode === 404)
    advice.push({ id: 'check-auth-mount', text: adviceOnMount(login, namespace) });
  if (statusCode === 403 && LOCKING_METHODS.includes(login.method)) advice.push(LOCK_ADVICE);
  if (namespace && login.options?.namespace === undefined) advice.push(INHERITED_NAMESPACE_ADVICE);
  return refusal(advice);
}

const INHERITED_NAMESPACE_ADVICE: VaultAdvice = {
  id: 'set-auth-namespace',
  text: 'The login used the Vault namespace that secrets are read from; to log in to the root namespace, set "auth.namespace" to "".',
};

/** Methods whose users Vault locks for a while after several failed logins. */
const LOCKING_METHODS: readonly string[] = ['approle', 'ldap', 'userpass'];
const LOCK_ADVICE: VaultAdvice = {
  id: 'check-locked-users',
  text: 'After several failed logins Vault locks the user, for 15 minutes by default, and then refuses the right credentials too ("bao read sys/locked-users" lists locked users).',
};

function namespaceMissing({ reason, namespace }: VaultError): LoginFailure | undefined {
  if (reason !== 'namespace') return undefined;
  return { reason, advice: missingNamespaceAdvice(namespace) };
}

function adviceOnMount(
  { method, mountPath }: Pick<LoginRequest, 'method' | 'mountPath'>,
  namespace: string | undefined,
): string {
  const typed = mountPath.startsWith('auth/')
    ? `"auth/" is added by the module: write mountPath ${JSON.stringify(mountPath.slice('auth/'.length))}. `
    : '';
  return `${typed}Check that an auth method of type "${method}" is enabled at "${mountPath}" (option "auth.mountPath"; "${suggestedCommand('auth list', { namespace })}" shows them), and the Vault namespace.`;
}
