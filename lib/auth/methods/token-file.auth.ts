import { stat } from 'node:fs/promises';
import { typeOf } from '../../options/check-options.js';
import type { Requester } from '../../client/vault-client.js';
import { describeCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethodDefinition, LoginMethod } from '../login-method.js';
import type { LoginOptions } from '../login.options.js';
import { LOGIN, requireOptions } from '../login.options.js';
import { lookUpToken } from '../look-up-token.js';
import { checkToken } from '../token.js';
import { unwrapToken, wrappingTokenOf } from './unwrap.js';

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
/** A token that could not be used is tried again, in case that was the network's fault. */
const RETRY_DELAY_MS = 10_000;

/** @internal */
export class TokenFileLogin implements LoginMethod {
  readonly method = 'token-file';
  readonly #options: TokenFileAuth;
  /** States of the file, as `#state` gives them: which one the session lives on, and which one was tried last. */
  #adopted: string | undefined;
  #tried: string | undefined;
  #triedAt = 0;
  /** A wrapping token opens once, so what was in it is kept. */
  #unwrapped: { readonly wrapping: string; readonly token: string } | undefined;

  constructor(options: TokenFileAuth) {
    this.#options = options;
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { file, namespace } = this.#options;
    // Before it is read: what is written in between counts as a change.
    const state = await this.#state();
    this.#tried = state;
    this.#triedAt = performance.now();
    const source = describeCredential({ file });
    const content = await resolveCredential({ file }, 'auth.file');
    const wrapping = wrappingTokenOf(content);
    const token = wrapping === undefined ? content : await this.#unwrap(client, wrapping, source, signal);
    const login = await lookUpToken(client, {
      token: checkToken(token, source),
      source,
      namespace,
      owned: false,
      signal,
    });
    this.#adopted = state;
    // The agent renews it; reading the file again tells how long it lives now.
    return { ...login, renewable: false };
  }

  watch(changed: () => void): () => void {
    // Polled: notifications of the operating system get lost on network and container file systems.
    const timer = setInterval(() => void this.#look(changed), POLL_INTERVAL_MS).unref();
    return () => clearInterval(timer);
  }

  async #look(changed: () => void): Promise<void> {
    const state = await this.#state();
    if (state === undefined || state === this.#adopted) return;
    if (state === this.#tried && performance.now() < this.#triedAt + RETRY_DELAY_MS) return;
    changed();
  }

  async #unwrap(client: Requester, wrapping: string, source: string, signal?: AbortSignal): Promise<string> {
    if (this.#unwrapped?.wrapping !== wrapping) {
      const { namespace } = this.#options;
      this.#unwrapped = { wrapping, token: await unwrapToken(client, { wrapping, source, namespace, signal }) };
    }
    return this.#unwrapped.token;
  }

  /** Differs whenever the file has been written or replaced; `undefined` when it is not there. */
  async #state(): Promise<string | undefined> {
    const { ino, size, mtimeMs } = (await stat(this.#options.file).catch(() => undefined)) ?? {};
    return ino === undefined ? undefined : `${ino}:${size}:${mtimeMs}`;
  }
}

/** @internal */
export const tokenFile: LoginMethodDefinition<TokenFileAuth> = {
  shape: { ...LOGIN, file: typeOf('string') },
  create: (auth) => new TokenFileLogin(requireOptions(auth, 'file')),
};
