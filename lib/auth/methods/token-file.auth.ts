import { stat } from 'node:fs/promises';
import { typeOf } from '../../options/check-options.js';
import type { Requester } from '../../client/vault-client.js';
import { describeCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, LoginOptions } from '../login.js';
import { LOGIN_OPTIONS, checkToken, requireOptions } from '../login.js';
import { lookUpToken } from '../submit-login.js';
import { unwrapToken, parseWrappingToken } from './unwrap.js';

/**
 * The file where a Vault Agent writes its token (its sink), plain or response-wrapped (`wrap_ttl`). The file is
 * checked every second, and a new token is used without a restart. The token belongs to the agent; the module neither
 * renews nor revokes it.
 * @see https://openbao.org/docs/agent-and-proxy/autoauth/sinks/file/
 * @publicApi
 */
export interface TokenFileAuth extends LoginOptions {
  readonly method: 'token-file';
  /** Path of the file. */
  readonly file: string;
}

const POLL_INTERVAL_MS = 1_000;
/** Delay before the login with an unchanged file is retried, in case the network caused the failure. */
const RETRY_DELAY_MS = 10_000;

/** @internal */
export class TokenFileLogin implements LoginMethod {
  readonly method = 'token-file';
  readonly #options: TokenFileAuth;
  /** File states (see `#fileState`) of the token in use and of the last attempt. */
  #adoptedState: string | undefined;
  #attemptedState: string | undefined;
  #attemptedAt = 0;
  /** A wrapping token opens once, so what was in it is kept. */
  #unwrapped: { readonly wrapping: string; readonly token: string } | undefined;

  constructor(options: TokenFileAuth) {
    this.#options = options;
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { file, namespace } = this.#options;
    // Determined before reading, so that a write in between counts as a change.
    const state = await this.#fileState();
    this.#attemptedState = state;
    this.#attemptedAt = performance.now();
    const source = describeCredential({ file });
    const content = await resolveCredential({ file }, 'auth.file');
    const wrapping = parseWrappingToken(content);
    const token = wrapping === undefined ? content : await this.#unwrap(client, wrapping, source, signal);
    const login = await lookUpToken(client, {
      token: checkToken(token, source),
      source,
      namespace,
      owned: false,
      signal,
    });
    this.#adoptedState = state;
    // The agent renews the token, so the next login looks up its new lifetime.
    return { ...login, renewable: false };
  }

  watch(changed: () => void): () => void {
    // Polled, because file system notifications get lost on network and container file systems.
    const timer = setInterval(() => void this.#poll(changed), POLL_INTERVAL_MS).unref();
    return () => clearInterval(timer);
  }

  async #poll(changed: () => void): Promise<void> {
    const state = await this.#fileState();
    if (state === undefined || state === this.#adoptedState) return;
    if (state === this.#attemptedState && performance.now() < this.#attemptedAt + RETRY_DELAY_MS) return;
    changed();
  }

  async #unwrap(client: Requester, wrapping: string, source: string, signal?: AbortSignal): Promise<string> {
    if (this.#unwrapped?.wrapping !== wrapping) {
      const { namespace } = this.#options;
      this.#unwrapped = { wrapping, token: await unwrapToken(client, { wrapping, source, namespace, signal }) };
    }
    return this.#unwrapped.token;
  }

  /** Changes whenever the file is written or replaced; `undefined` if it is missing. */
  async #fileState(): Promise<string | undefined> {
    const { ino, size, mtimeMs } = (await stat(this.#options.file).catch(() => undefined)) ?? {};
    return ino === undefined ? undefined : `${ino}:${size}:${mtimeMs}`;
  }
}

/** @internal */
export const tokenFile: LoginMethodDefinition<TokenFileAuth> = {
  shape: { ...LOGIN_OPTIONS, file: typeOf('string') },
  create: (auth) => new TokenFileLogin(requireOptions(auth, 'file')),
};
