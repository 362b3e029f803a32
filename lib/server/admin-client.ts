import { Agent, request } from 'undici';
import { redact, secretsOf } from '../errors/redact.js';
import { VaultTestServerError } from './server-error.js';

const RESPONSE_TIMEOUT_MS = 30_000;

/**
 * Response of a test server. `T` is the type the caller expects of the body; it is not checked.
 * @publicApi
 */
export interface VaultServerResponse<T = unknown> {
  status: number;
  /** Parsed JSON; text if the body is not JSON; `undefined` if there is no body. */
  body: T;
}

/**
 * Options of {@link VaultServer.request}.
 * @publicApi
 */
export interface VaultServerRequestOptions {
  /**
   * Token to send; with an empty string, none is sent.
   * @default the server's root token
   */
  token?: string;
  /** Vault namespace of the request. */
  namespace?: string;
  /**
   * Whether a response with status 400 or above throws a {@link VaultTestServerError}.
   * @default true
   */
  throwOnError?: boolean;
}

/** @internal */
export interface AdminTls {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  rejectUnauthorized: boolean;
}

/**
 * HTTP client for setting up a test server.
 * @internal
 */
export class AdminClient {
  private readonly agent: Agent;

  constructor(
    private readonly endpoint: string,
    tls: AdminTls | undefined,
  ) {
    const { ca, cert, key, rejectUnauthorized = true } = tls ?? {};
    this.agent = new Agent({
      headersTimeout: RESPONSE_TIMEOUT_MS,
      bodyTimeout: RESPONSE_TIMEOUT_MS,
      connect: { rejectUnauthorized, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    });
  }

  async request(
    method: string,
    path: string,
    body: unknown,
    { token, namespace, throwOnError = true }: VaultServerRequestOptions,
  ): Promise<VaultServerResponse> {
    const { statusCode, parsed } = await this.#send(method, path, body, token, namespace);
    if (throwOnError && statusCode >= 400) {
      const errors = (parsed as { errors?: unknown } | undefined)?.errors;
      const reason = Array.isArray(errors) && errors.length > 0 ? errors.join('; ') : 'no reason given';
      const secrets = [...secretsOf(body), ...(token ? [token] : [])];
      throw new VaultTestServerError(
        'request',
        `The test server responded to ${method} ${path} with ${statusCode}: ${redact(reason, secrets)}`,
        { path, statusCode },
      );
    }
    return { status: statusCode, body: parsed };
  }

  close(): Promise<void> {
    return this.agent.destroy();
  }

  async #send(
    method: string,
    path: string,
    body: unknown,
    token: string | undefined,
    namespace: string | undefined,
  ): Promise<{ statusCode: number; parsed: unknown }> {
    try {
      const { statusCode, body: stream } = await request(`${this.endpoint}/v1/${path}`, {
        dispatcher: this.agent,
        method: method as 'GET',
        headers: {
          'content-type': 'application/json',
          'x-vault-request': 'true',
          ...(token && { 'x-vault-token': token }),
          ...(namespace && { 'x-vault-namespace': namespace }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return { statusCode, parsed: parseBody(await stream.text()) };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new VaultTestServerError(
        'request',
        `The test server at ${this.endpoint} gave no response to ${method} ${path}: ${code ?? message}. ` +
          'See its output(). After stop() it does not respond.',
        { path },
      );
    }
  }
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
