import type { Requester } from '../../client/vault-client.js';
import { VaultAuthenticationError, isVaultError } from '../../errors/index.js';
import { checkToken } from '../login.js';

/**
 * Opens a response-wrapped secret id. What the token wraps is looked at first: a token that wraps anything but a
 * secret id of this mount was not made for us, and is left unopened.
 *
 * @throws VaultAuthenticationError, with `reason: 'wrapping-token-invalid'` when it no longer opens
 * @see https://openbao.org/docs/concepts/response-wrapping/#response-wrapping-token-validation
 * @internal
 */
export async function unwrapSecretId(
  client: Requester,
  token: string,
  options: {
    /** Where the token came from, for messages. */
    readonly source: string;
    readonly mountPath: string;
    readonly namespace: string | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<string> {
  const operation = `unwrap the secret id with the wrapping token from ${options.source}`;
  const common = {
    operation,
    signal: options.signal,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
  };
  try {
    const lookup = await client.request({
      ...common,
      method: 'POST',
      path: 'sys/wrapping/lookup',
      body: { token },
      token: null,
      idempotent: true,
    });
    checkOrigin(lookup.body, options.mountPath, operation);
    // As the request's own token: there is no session yet that could vouch for a token in the body.
    const { body } = await client.request({ ...common, method: 'POST', path: 'sys/wrapping/unwrap', token });
    const secretId = (body as { data?: Record<string, unknown> } | undefined)?.data?.['secret_id'];
    if (typeof secretId === 'string' && secretId !== '') return secretId;
    throw new VaultAuthenticationError(`Cannot ${operation}: what was wrapped holds no "secret_id".`, { operation });
  } catch (error) {
    throw wrappingTokenUsed(error, operation, 'treat the secret id as stolen, destroy it and issue a new one');
  }
}

function checkOrigin(body: unknown, mountPath: string, operation: string): void {
  const origin = (body as { data?: Record<string, unknown> } | undefined)?.data?.['creation_path'];
  const mount = decodeURIComponent(mountPath);
  const expected =
    typeof origin === 'string' && origin.startsWith(`auth/${mount}/role/`) && /\/(custom-)?secret-id$/.test(origin);
  if (expected) return;
  throw new VaultAuthenticationError(
    `Cannot ${operation}: it was made at ${typeof origin === 'string' ? JSON.stringify(origin) : 'an unknown path'}, not at "auth/${mount}/role/…/secret-id". ` +
      'It was not opened. Somebody may have put another token in its place.',
    { operation, reason: 'wrapping-token-origin' },
  );
}

/**
 * What it means that a wrapping token cannot be opened. The server says the same of one that is used up, expired or made up.
 *
 * @param remedy what to do if another client has opened it
 * @internal
 */
export function wrappingTokenUsed(error: unknown, operation: string, remedy: string): unknown {
  if (!isVaultError(error) || error.code === 'VAULT_AUTHENTICATION') return error;
  if (error.statusCode !== 400 && error.statusCode !== 403 && error.statusCode !== 404) return error;
  return error.as(VaultAuthenticationError, {
    problem: `Cannot ${operation}: the wrapping token has been used already, or has expired. A wrapping token opens once.`,
    operation,
    reason: 'wrapping-token-invalid',
    advice: [
      { id: 'reissue-wrapping-token', text: `If this application did not open it, somebody else may have: ${remedy}.` },
    ],
  });
}

/** A wrapped token in an agent's sink. @internal */
export interface WrappedToken {
  readonly wrapping: string;
  /** Where it came from, for messages. */
  readonly source: string;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * The wrapping token in the content of a sink whose agent wraps (`wrap_ttl`): such an agent writes the `wrap_info` of the
 * server's response as JSON. `undefined` when the content is a token itself.
 *
 * @see https://openbao.org/docs/agent-and-proxy/autoauth/#response-wrapping-tokens
 * @internal
 */
export function parseWrappingToken(content: string): string | undefined {
  if (!content.startsWith('{')) return undefined;
  try {
    const { token } = JSON.parse(content) as { token?: unknown };
    return typeof token === 'string' ? token : undefined;
  } catch {
    return undefined;
  }
}

/** The token inside. @throws VaultAuthenticationError when it cannot be opened (any more), or holds no token @internal */
export async function unwrapToken(
  client: Requester,
  { wrapping, source, namespace, signal }: WrappedToken,
): Promise<string> {
  const operation = `unwrap the token from ${source}`;
  try {
    const { body } = await client.request({
      method: 'POST',
      path: 'sys/wrapping/unwrap',
      operation,
      token: checkToken(wrapping, source),
      signal,
      ...(namespace !== undefined && { namespace }),
    });
    const token = (body as { data?: Record<string, unknown> } | undefined)?.data?.['token'];
    if (typeof token === 'string' && token !== '') return token;
    throw new VaultAuthenticationError(`Cannot ${operation}: what was wrapped holds no "token".`, { operation });
  } catch (error) {
    throw wrappingTokenUsed(error, operation, 'revoke the token of the agent, and have it log in again');
  }
}
