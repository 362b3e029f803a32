import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VaultAbortedError, VaultAuthenticationError, VaultTimeoutError } from '../../errors/index.js';
import { ABORTED, race, TIMED_OUT } from '../../lifetime/race.js';
import { redact } from '../../errors/redact.js';

const PATH = '/oidc/callback';
const MAX_CODE_LENGTH = 8192;

/**
 * Where the browser comes back to: a listener on the loopback interface that accepts one request, the one with the expected
 * state, and turns away everything else.
 * @internal
 */
export class OidcCallback {
  readonly #server: Server;
  #expected: { readonly state: string; readonly take: (outcome: URLSearchParams) => void } | undefined;
  #browser: ServerResponse | undefined;

  private constructor(
    server: Server,
    readonly redirectUri: string,
  ) {
    this.#server = server;
    server.on('request', (request, response) => this.#serve(request, response));
  }

  /** @throws VaultAuthenticationError when the port is taken */
  static async listen(port: number): Promise<OidcCallback> {
    // Unref'd: a listener that waits for a person keeps no process alive. The deadline of the boot does.
    const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 32_768 }).unref();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    }).catch((error: unknown) => {
      const { code: reason = 'unknown' } = error as NodeJS.ErrnoException;
      throw new VaultAuthenticationError(
        `Cannot wait for the browser on port ${port} of 127.0.0.1 (${reason}). Is another login going on? Else choose another "auth.port", and add it to the role's "allowed_redirect_uris".`,
        { reason },
      );
    });
    return new OidcCallback(server, `http://localhost:${(server.address() as AddressInfo).port}${PATH}`);
  }

  /**
   * The code the browser brings.
   *
   * @throws VaultAuthenticationError when the identity provider refused
   * @throws VaultTimeoutError when no request came in time
   * @throws VaultAbortedError when the signal did
   */
  async wait(state: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<string> {
    const operation = 'log in with oidc';
    const returned = new Promise<URLSearchParams>((resolve) => (this.#expected = { state, take: resolve }));
    const outcome = await race(returned, { timeoutMs, signal, keepAlive: false });
    if (outcome === TIMED_OUT) {
      throw new VaultTimeoutError(
        `Nobody logged in with the browser within ${timeoutMs} ms. Raise "auth.timeoutMs", or use another "auth.method" where no person is.`,
        { operation },
      );
    }
    if (outcome === ABORTED) {
      throw new VaultAbortedError(
        'Cannot log in with oidc: it was given up, as nobody had logged in with the browser.',
        {
          operation,
        },
      );
    }
    const code = outcome.get('code');
    if (code !== null && code !== '' && code.length <= MAX_CODE_LENGTH) return code;
    const error = outcome.get('error') ?? '';
    const said = /^[a-z_]{1,40}$/.test(error) ? redact(error) : 'no code';
    throw new VaultAuthenticationError(
      `Cannot log in with oidc: the identity provider sent the browser back with ${said}. Log in again, as a person who may use this application there.`,
      { operation, reason: 'identity-provider' },
    );
  }

  /** Tells the person at the browser how it ended. */
  answer(success: boolean): void {
    const text = success
      ? 'You are logged in. This window can be closed.'
      : 'The login failed. The application says why.';
    if (this.#browser) reply(this.#browser, success ? 200 : 403, text);
    this.#browser = undefined;
  }

  /** Ends the listener, and every connection to it, after the response has been sent. */
  async close(): Promise<void> {
    this.answer(false);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    // Responses are a few bytes; a browser that does not read them in time is disconnected.
    if ((await race(closed, { timeoutMs: 1_000, keepAlive: false })) === TIMED_OUT) this.#server.closeAllConnections();
    await closed;
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '/';
    const url = URL.canParse(target, 'http://localhost') ? new URL(target, 'http://localhost') : undefined;
    if (url?.pathname !== PATH || request.method !== 'GET') return reply(response, 404, 'Not found.');
    const { state, take } = this.#expected ?? {};
    if (state === undefined || take === undefined || url.searchParams.get('state') !== state)
      return reply(response, 400, 'This is not the login the application waits for. Start from the address it gave.');
    this.#expected = undefined;
    this.#browser = response;
    take(url.searchParams);
  }
}

function reply(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'",
      connection: 'close',
    })
    .end(`<!doctype html><title>Vault</title><p>${text}</p>`);
}
