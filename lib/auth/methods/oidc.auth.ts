import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { typeOf, positiveNumber } from '../../options/check-options.js';
import type { Requester } from '../../client/vault-client.js';
import type { VaultRequest } from '../../client/vault-request.js';
import { VaultAuthenticationError, VaultBadResponseError } from '../../errors/index.js';
import { failureKind } from '../../errors/redact.js';
import { diagnoseRole } from './jwt.auth.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath } from '../login.js';
import { OidcCallback } from './oidc-callback.js';
import { explainRefusal, completeLogin } from '../submit-login.js';

const TIMEOUT_MS = 120_000;
/** For what is asked of the server before and after the person. */
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * A person logs in with a browser. For developers' machines: each login needs the browser again, also when the token
 * has expired.
 * @see https://openbao.org/docs/auth/jwt/#oidc-authentication
 * @publicApi
 */
export interface OidcAuth extends MountedLoginOptions {
  readonly method: 'oidc';
  /** Default: `default_role` of the mount. */
  readonly role?: string;
  /**
   * Port on 127.0.0.1 for the redirect of the browser; 0 picks a free one. `http://localhost:<port>/oidc/callback`
   * must be in `allowed_redirect_uris` of the role; OpenBao accepts any port there. Default: 8250.
   */
  readonly port?: number;
  /** Receives the login URL, for example to open a browser. Default: the URL is logged. */
  readonly openUrl?: (url: string) => void | Promise<void>;
  /** Timeout for the person's login, in milliseconds. At boot, `boot.timeoutMs` also applies. Default: 120 000. */
  readonly timeoutMs?: number;
}

/** @internal */
export class OidcLogin implements LoginMethod {
  readonly method = 'oidc';
  readonly #options: OidcAuth;
  readonly #mountPath: string;
  readonly loginTimeoutMs: number;

  constructor(options: OidcAuth) {
    this.#options = options;
    this.loginTimeoutMs = (options.timeoutMs ?? TIMEOUT_MS) + REQUEST_TIMEOUT_MS;
    this.#mountPath = authMountPath('oidc', options);
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { port = 8250, timeoutMs = TIMEOUT_MS } = this.#options;
    const callback = await OidcCallback.listen(port);
    try {
      // Ties the callback to this login: the server gives the token to no other client that has seen state and code.
      const clientNonce = randomBytes(24).toString('base64url');
      const { url, state } = await this.#authUrl(client, callback.redirectUri, clientNonce, signal);
      await this.#open(url);
      const code = await callback.wait(state, timeoutMs, signal);
      const login = await this.#redeem(client, { state, code, client_nonce: clientNonce }, signal);
      callback.answer(true);
      return login;
    } finally {
      await callback.close();
    }
  }

  async #authUrl(
    client: Requester,
    redirectUri: string,
    clientNonce: string,
    signal: AbortSignal | undefined,
  ): Promise<{ url: string; state: string }> {
    const { role } = this.#options;
    const operation = `log in with oidc (auth/${this.#mountPath}): ask where to log in`;
    const path = `auth/${this.#mountPath}/oidc/auth_url`;
    const advice = 'Check "auth.role" and the configuration of the auth mount (oidc_discovery_url, oidc_client_id).';
    const body = { redirect_uri: redirectUri, client_nonce: clientNonce, ...(role !== undefined && { role }) };
    const answer = await this.#call(client, { method: 'POST', path, body }, { operation, advice, signal });
    const given = (answer as { data?: Record<string, unknown> } | undefined)?.data?.['auth_url'];
    if (given === '')
      throw new VaultAuthenticationError(
        `Cannot ${operation}: the server gave no address. Either the role does not exist, or ${JSON.stringify(redirectUri)} is not among its "allowed_redirect_uris"; the server's log says which.`,
        { operation, path, reason: 'redirect-uri' },
      );
    const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
    const state = url?.searchParams.get('state') ?? '';
    // Only web pages are opened on the machine of a user.
    if (!url || !/^https?:$/.test(url.protocol) || state === '')
      throw new VaultBadResponseError(`Cannot ${operation}: the response contains no web address with a "state".`, {
        operation,
        path,
      });
    return { url: url.href, state };
  }

  async #open(url: string): Promise<void> {
    const { openUrl } = this.#options;
    if (!openUrl) return new Logger('VaultModule').log(`Log in with a browser at ${url}`);
    try {
      await openUrl(url);
    } catch (error) {
      throw new VaultAuthenticationError(`"auth.openUrl": the function failed (${failureKind(error)}).`);
    }
  }

  async #redeem(
    client: Requester,
    query: { readonly state: string; readonly code: string; readonly client_nonce: string },
    signal: AbortSignal | undefined,
  ): Promise<Login> {
    const operation = `log in with oidc (auth/${this.#mountPath})`;
    const path = `auth/${this.#mountPath}/oidc/callback`;
    const advice =
      'The identity provider accepted the person, and the server did not: check the claims, groups and audience the role is bound to, and the client secret of the auth mount.';
    // The server accepts a code once.
    const request = { method: 'GET', path, query, idempotent: false } as const;
    const body = await this.#call(client, request, { operation, advice, signal });
    const { namespace, mfa } = this.#options;
    return completeLogin(client, body, { operation, path, namespace, passcodes: mfa, signal });
  }

  async #call(
    client: Requester,
    request: Pick<VaultRequest, 'method' | 'path' | 'body' | 'query' | 'idempotent'>,
    { operation, advice, signal }: { operation: string; advice: string; signal: AbortSignal | undefined },
  ): Promise<unknown> {
    const { namespace, role } = this.#options;
    try {
      const { body } = await client.request({
        ...request,
        operation,
        token: null,
        signal,
        secrets: Object.values(request.query ?? {}).map(String),
        ...(namespace !== undefined && { namespace }),
      });
      return body;
    } catch (error) {
      const diagnose = (said: string, namespace: string | undefined) =>
        diagnoseRole(this.#mountPath, role, said, namespace);
      throw explainRefusal(
        error,
        { method: 'oidc', mountPath: this.#mountPath, advice, classify: diagnose },
        operation,
      );
    }
  }
}

/** @internal */
export const oidc: LoginMethodDefinition<OidcAuth> = {
  shape: {
    ...MOUNTED_LOGIN_OPTIONS,
    role: typeOf('string'),
    port: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
        ? undefined
        : 'a port: a whole number up to 65 535 (0 takes a free one)',
    openUrl: typeOf('function'),
    timeoutMs: positiveNumber,
  },
  create: (auth) => new OidcLogin(auth),
};
