import type { VaultClient } from '../client/vault-client.js';
import {
  VaultAuthenticationError,
  VaultNotFoundError,
  VaultPermissionError,
  VaultRequestError,
} from '../errors/index.js';
import type { Login } from './login-method.js';
import { checkToken } from './token.js';

/** A login request of some method. @internal */
export interface LoginRequest {
  readonly method: string;
  /** Mount of the auth method, encoded. */
  readonly mountPath: string;
  /** What follows the mount: `login`, `login/alice`; encoded. */
  readonly path: string;
  readonly body: unknown;
  readonly namespace: string | undefined;
  /** What to check when the server refuses. */
  readonly advice: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Logs in, without sending any older token along, and checks that the answer holds a usable one.
 *
 * @throws VaultAuthenticationError when the server refuses or answers without a token
 * @internal
 */
export async function submitLogin(client: VaultClient, login: LoginRequest): Promise<Login> {
  const operation = `log in with ${login.method} (auth/${login.mountPath})`;
  const path = `auth/${login.mountPath}/${login.path}`;
  try {
    const { body } = await client.request({
      method: 'POST',
      path,
      operation,
      body: login.body,
      token: null,
      signal: login.signal,
      ...(login.namespace !== undefined && { namespace: login.namespace }),
    });
    return readLogin(body, operation, path, login.namespace);
  } catch (error) {
    throw refused(error, login, operation);
  }
}

/** The token in a login answer. */
function readLogin(body: unknown, operation: string, path: string, namespace: string | undefined): Login {
  const auth = (body as { auth?: Record<string, unknown> | null } | undefined)?.auth;
  const token = auth?.['client_token'];
  if (!auth || typeof token !== 'string' || token === '') {
    throw new VaultAuthenticationError(
      `Cannot ${operation}: the server answered without a client token, so nobody is logged in.`,
      { operation, path },
    );
  }
  const { accessor, policies, lease_duration: leaseDuration, renewable, token_type: tokenType } = auth;
  return {
    token: checkToken(token, 'the login answer'),
    accessor: typeof accessor === 'string' && accessor !== '' ? accessor : undefined,
    policies: Array.isArray(policies) ? policies.map(String) : [],
    leaseDuration: typeof leaseDuration === 'number' ? leaseDuration : 0,
    renewable: renewable === true,
    tokenType: typeof tokenType === 'string' ? tokenType : 'service',
    namespace,
    owned: true,
  };
}

function refused(error: unknown, login: LoginRequest, operation: string): unknown {
  const said =
    error instanceof VaultRequestError ||
    error instanceof VaultPermissionError ||
    error instanceof VaultNotFoundError ||
    error instanceof VaultAuthenticationError;
  if (!said || error.statusCode === undefined) return error;
  // What the server said, without the advice for ordinary paths behind it.
  const reason = error.message.replace(/(status \d+\)?\.).*$/s, '$1');
  // A missing auth mount answers just like a denied one, so both possibilities are named.
  const mount = error.statusCode === 403 || error.statusCode === 404 ? ` ${adviceOnMount(login)}` : '';
  return new VaultAuthenticationError(`${reason} ${login.advice}${mount}`, {
    ...error,
    operation,
    statusCode: error.statusCode,
  });
}

function adviceOnMount({ method, mountPath }: LoginRequest): string {
  const typed = mountPath.startsWith('auth/')
    ? `"auth/" is added by the module: write mountPath ${JSON.stringify(mountPath.slice('auth/'.length))}. `
    : '';
  return `${typed}Check that an auth method of type "${method}" is enabled at "${mountPath}" (option "auth.mountPath"; "bao auth list" shows them), and the namespace.`;
}
