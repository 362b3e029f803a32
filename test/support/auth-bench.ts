import type { VaultAuth } from '../../lib/auth/login-methods.js';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import { fixedToken } from '../../lib/client/token-source.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import { createVaultClient } from '../../lib/client/vault-client.js';
import type { VaultEvent } from '../../lib/observability/vault-event.js';
import { SessionManager } from '../../lib/session/session-manager.js';
import { VaultSession } from '../../lib/session/vault-session.js';
import type { VaultServer, VaultServerOptions } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { until } from './until.js';
import type { FaultServer, Interceptor, RecordedRequest } from './fault-server.js';
import { forwardTo, startFaultServer } from './fault-server.js';

export interface SessionOptions {
  readonly namespace?: string;
  readonly revoke?: boolean;
  readonly shutdownMs?: number;
  /** How long a replaced token lives on. */
  readonly graceMs?: number;
  /**
   * What renewals are spread by, from 0 to below 1. By chance one may be due when there is hardly time for it; the greater
   * this is, the more there is.
   */
  readonly random?: () => number;
}

/** A session as the application sees it, and its manager. */
export class OpenedSession extends VaultSession {
  constructor(readonly manager: SessionManager) {
    super(manager);
  }

  close(): Promise<void> {
    return this.manager.close();
  }
}

/** A real server, a front before it that records requests, and sessions that log in through the front. */
export class AuthBench {
  readonly #opened: (() => Promise<void>)[] = [];
  readonly #clients = new WeakMap<OpenedSession, VaultClient>();
  /** What the sessions told, since the last reset. */
  readonly events: VaultEvent[] = [];

  private constructor(
    readonly server: VaultServer,
    readonly front: FaultServer,
    readonly stopServer: () => Promise<void>,
  ) {}

  static async start(options: VaultServerOptions = {}): Promise<AuthBench> {
    const server = await startVaultServer(options);
    return new AuthBench(server, await startFaultServer(forwardTo(server.endpoint)), () => server.stop());
  }

  /** Another one on the same server, with a front, sessions and events of its own; it is stopped before this one. */
  async beside(): Promise<AuthBench> {
    return new AuthBench(this.server, await startFaultServer(forwardTo(this.server.endpoint)), () => Promise.resolve());
  }

  /** Logs in as the module does at boot. */
  async open(auth: VaultAuth, options: SessionOptions = {}): Promise<OpenedSession> {
    const { namespace, revoke = true, shutdownMs = 5_000, graceMs, random } = options;
    const anonymous = await createVaultClient(
      {
        endpoint: this.front.endpoint,
        namespace,
        tls: {},
        timeoutMs: 20_000,
        connectTimeoutMs: 5_000,
        maxConnections: 8,
      },
      fixedToken(undefined),
    );
    const manager = new SessionManager(anonymous, createLoginMethod(auth), {
      shutdown: { revoke, timeoutMs: shutdownMs },
      emit: (event) => this.events.push(event),
      ...(graceMs !== undefined && { graceMs }),
      ...(random && { random }),
    });
    const client = anonymous.withTokens(manager);
    const session = new OpenedSession(manager);
    this.#opened.push(async () => {
      await session.close();
      await client.close();
    });
    this.#clients.set(session, client);
    await manager.login();
    manager.start();
    return session;
  }

  /** The client a session was opened with. */
  clientOf(session: OpenedSession): VaultClient {
    return this.#clients.get(session) as VaultClient;
  }

  /** Decides about requests on their way to the server. */
  intercept(intercept: Interceptor): void {
    this.front.answerWith(forwardTo(this.server.endpoint, { intercept }));
  }

  /** Closes all sessions and lets everything through again. */
  async reset(): Promise<void> {
    this.front.answerWith(forwardTo(this.server.endpoint));
    for (const close of this.#opened.splice(0)) await close();
    this.front.requests.length = 0;
    this.events.length = 0;
  }

  async stop(): Promise<void> {
    await this.reset();
    await this.front.close();
    await this.stopServer();
  }

  /** Requests to paths with this end that went through the front since the last reset. */
  sent(end: string): RecordedRequest[] {
    return this.front.requests.filter(({ url }) => url.endsWith(end));
  }

  /** The `data` or `auth` of an answer to the root token. */
  async ask<T = Record<string, string>>(method: string, path: string, body?: object, namespace?: string): Promise<T> {
    const answer = await this.server.request(method, path, body, namespace === undefined ? {} : { namespace });
    const { data, auth } = (answer.body ?? {}) as { data?: T; auth?: T };
    return (auth ?? data) as T;
  }

  async token(more: object = {}, namespace?: string): Promise<string> {
    return (await this.ask('POST', 'auth/token/create', more, namespace))['client_token'] as string;
  }

  /** A wrapping token around the answer of a POST. */
  async wrap(path: string, options: { ttl?: string; namespace?: string } = {}): Promise<string> {
    const { ttl = '300s', namespace } = options;
    const headers = {
      'x-vault-token': this.server.rootToken,
      'x-vault-wrap-ttl': ttl,
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
    };
    const answer = await fetch(`${this.server.endpoint}/v1/${path}`, { method: 'POST', headers, body: '{}' });
    return ((await answer.json()) as { wrap_info: { token: string } }).wrap_info.token;
  }

  /** Status of a call without the root token. */
  async status(method: string, path: string, body?: object, token = ''): Promise<number> {
    return (await this.server.request(method, path, body, { token, throwOnError: false })).status;
  }

  /** Repeats a request until the server responds with the status, such as that of an expired token. */
  until(status: number, method: string, path: string, body?: object, token = ''): Promise<void> {
    return until(async () => (await this.status(method, path, body, token)) === status, {
      what: `status ${status} of ${method} ${path}`,
    });
  }

  async alive(accessor: string | undefined, namespace?: string): Promise<boolean> {
    const options = { throwOnError: false, ...(namespace !== undefined && { namespace }) };
    const { status } = await this.server.request('POST', 'auth/token/lookup-accessor', { accessor }, options);
    return status === 200;
  }

  /** Accessors of all tokens the server knows. */
  async accessors(): Promise<string[]> {
    return (await this.ask<{ keys: string[] }>('GET', 'auth/token/accessors?list=true')).keys.sort();
  }
}
