import { NOT_VAULT_RESPONSE } from '../client/response-errors.js';
import { suggestedCommand } from '../client/suggested-command.js';
import type { Requester } from '../client/vault-client.js';
import { textList } from '../client/vault-request.js';
import type { VaultAdvice, VaultError } from '../errors/index.js';
import {
  VaultAuthenticationError,
  VaultBadResponseError,
  VaultNotFoundError,
  VaultPermissionError,
  VaultRequestError,
  VaultServerError,
} from '../errors/index.js';
import type { Login, MountedLoginOptions } from './login.js';
import { checkToken } from './login.js';
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
 * response contains a usable token.
 *
 * @throws VaultAuthenticationError when the server refuses the login or responds without a token
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
 * The login in a response, after its second factor.
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

/** A hundred years. A later date may not be valid. */
const MAX_LEASE_SECONDS = 3_155_760_000;

/** It is logged, so it must not be able to write a line of its own. */
const ACCESSOR = /^[\x21-\x7e]{1,256}$/;

/** Advice for a 404 with an empty body, which Vault does not send. @internal */
export const NON_VAULT_404_ADVICE =
  'Vault does not send such a response. Check that "endpoint" (VAULT_ADDR) is Vault itself and not another service.';

/** Advice for a login or a lookup in a Vault namespace that the server does not have. @internal */
export function missingNamespaceAdvice(namespace: string | undefined): string {
  const name = namespace === undefined ? 'The Vault namespace' : `The Vault namespace ${JSON.stringify(namespace)}`;
  return `${name} does not exist on this server. Check "auth.namespace" and "namespace" (VAULT_NAMESPACE).`;
}

/** The fields of a token, under their names in the response to a login and to a lookup. @internal */
export interface TokenResponse {
  readonly accessor?: unknown;
  readonly policies?: unknown;
  readonly renewable?: unknown;
  /** Seconds it lives from now on. */
  readonly ttl: unknown;
  readonly type: unknown;
  /** Requests it is good for. */
  readonly num_uses?: unknown;
}

/** What is known of a token, with harmless values for what the server left out or got wrong. @internal */
export function parseTokenInfo({
  accessor,
  policies,
  renewable,
  ttl,
  type,
  num_uses: numUses,
}: TokenResponse): Omit<Login, 'token' | 'namespace' | 'owned'> {
  return {
    accessor: typeof accessor === 'string' && ACCESSOR.test(accessor) ? accessor : undefined,
    policies: textList(policies),
    leaseDuration: typeof ttl === 'number' && ttl > 0 ? Math.min(Math.max(ttl, 1), MAX_LEASE_SECONDS) : 0,
    renewable: renewable === true,
    ...(typeof numUses === 'number' && { numUses }),
    tokenType: typeof type === 'string' ? type : 'service',
  };
}

/**
 * The token in the response to a login; this module owns it.
 *
 * @throws VaultAuthenticationError when there is none, or it cannot be one
 * @internal
 */
export function readLogin(
  body: unknown,
  login: { readonly operation: string; readonly path?: string; readonly namespace: string | undefined },
): Login {
  const { operation, path, namespace } = login;
  const auth = (body as { auth?: Record<string, unknown> | null } | undefined)?.auth;
  const token = auth?.['client_token'];
  if (!auth || typeof token !== 'string' || token === '') {
    throw new VaultAuthenticationError(`Cannot ${operation}: the server responded without a client token.`, {
      operation,
      path,
    });
  }
  return {
    ...parseTokenInfo({ ...auth, ttl: auth['lease_duration'], type: auth['token_type'] }),
    token: checkToken(token, 'the login response'),
    namespace,
    owned: true,
  };
}

/** Whether a 404 has nothing to say about the reason. @internal */
export function hasNoExplanation(error: VaultNotFoundError): boolean {
  return error.nothingStored || error.reason === NOT_VAULT_RESPONSE;
}

/** A token that comes from somewhere else. @internal */
export interface SuppliedToken {
  readonly token: string;
  /** Where it came from, for messages. */
  readonly source: string;
  readonly namespace: string | undefined;
  /** Whether this module may revoke it. */
  readonly owned: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Looks a token up, so that a wrong one is noticed at once and its end is known.
 *
 * @throws VaultAuthenticationError when the server does not know it, or it may not look itself up
 * @see https://openbao.org/api-docs/auth/token/#lookup-a-token-self
 * @internal
 */
export async function lookUpToken(client: Requester, given: SuppliedToken): Promise<Login> {
  const { token, source, namespace, owned, signal } = given;
  const operation = `look up the token from ${source}`;
  const path = 'auth/token/lookup-self';
  try {
    const { body } = await client.request({
      method: 'GET',
      path,
      operation,
      token,
      signal,
      ...(namespace !== undefined && { namespace }),
    });
    const data = (body as { data?: unknown } | undefined)?.data;
    if (typeof data !== 'object' || data === null)
      throw new VaultBadResponseError(`Cannot ${operation}: the response has no data.`, { operation, path });
    const { ttl, type, ...facts } = data as { readonly ttl?: unknown; readonly type?: unknown };
    return { ...parseTokenInfo({ ...facts, ttl, type }), token, namespace, owned };
  } catch (error) {
    if (error instanceof VaultNotFoundError) throw notFoundAsLoginError(error, operation);
    if (!(error instanceof VaultPermissionError)) throw error;
    throw error.as(
      VaultAuthenticationError,
      error.policyDenied
        ? {
            problem: `Cannot ${operation}: the token is valid, but it may not look itself up.`,
            advice: [
              {
                id: 'add-policy',
                text: 'Give it the "default" policy, or add: path "auth/token/lookup-self" { capabilities = ["read"] }',
              },
            ],
          }
        : {
            problem:
              `Cannot ${operation}: the server at ${client.endpoint} does not know this token. It is wrong, has expired or was revoked; ` +
              'or it belongs to another server or Vault namespace.',
            advice: [{ id: 'create-token', text: 'Create a new one.' }],
          },
    );
  }
}

/** Every Vault has this path; what is absent can only be the namespace, or Vault. */
function notFoundAsLoginError(error: VaultNotFoundError, operation: string): VaultAuthenticationError {
  if (error.namespace === undefined && hasNoExplanation(error)) {
    const where = error.endpoint === undefined ? 'the server' : `the server at ${error.endpoint}`;
    return error.as(VaultAuthenticationError, {
      problem: `Cannot ${operation}: ${where} responded with status 404.`,
      advice: [{ id: 'check-endpoint', text: NON_VAULT_404_ADVICE }],
    });
  }
  return error.as(VaultAuthenticationError, {
    problem: `Cannot ${operation}: the server responded with status 404.`,
    reason: 'namespace',
    advice: [{ id: 'check-namespace', text: missingNamespaceAdvice(error.namespace) }],
  });
}
