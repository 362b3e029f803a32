import type { Login, LoginMethod } from '../../lib/auth/login.js';
import type { TokenHandle } from '../../lib/client/token-source.js';
import type { Requester } from '../../lib/client/vault-client.js';
import type { VaultRequest, VaultResponse } from '../../lib/client/vault-request.js';
import { Timers } from '../../lib/lifetime/timers.js';
import type { VaultEvent } from '../../lib/observability/vault-event.js';
import { SessionManager } from '../../lib/session/session-manager.js';
import { SimulatedClock } from './simulated-clock.js';

export interface SessionBenchOptions {
  readonly clock?: SimulatedClock;
  readonly random?: () => number;
  readonly graceMs?: number;
}

/** A session on simulated time, before a server of three functions. */
export class SessionBench {
  readonly clock: SimulatedClock;
  readonly events: VaultEvent[] = [];
  /** When tokens were renewed and logins began. */
  readonly renewals: number[] = [];
  readonly logins: number[] = [];
  /** Tokens that were revoked. */
  readonly revoked: unknown[] = [];
  /** What renewing, logging in and looking up the token do. */
  renew: () => unknown = () => ({ auth: { lease_duration: this.ttl, renewable: true } });
  logIn: () => unknown = () => undefined;
  lookUp: () => unknown = () => ({ data: {} });
  readonly session: SessionManager;

  constructor(
    readonly ttl: number,
    more: Partial<Login> = {},
    { clock = new SimulatedClock(), random = () => 0.5, graceMs }: SessionBenchOptions = {},
  ) {
    this.clock = clock;
    const method: LoginMethod = {
      method: 'simulated',
      login: async () => {
        this.logins.push(clock.monotonic());
        await Promise.resolve(this.logIn());
        const token = `token-${this.logins.length}`;
        const plain = { accessor: token, policies: [], namespace: undefined, tokenType: 'service', owned: true };
        return { token, leaseDuration: ttl, renewable: true, ...plain, ...more };
      },
    };
    const request = async ({ path, token }: VaultRequest): Promise<VaultResponse> => {
      if (path.endsWith('revoke-self')) this.revoked.push(token);
      if (path.endsWith('renew-self')) this.renewals.push(clock.monotonic());
      const answer = path.endsWith('renew-self') ? this.renew : path.endsWith('lookup-self') ? this.lookUp : undefined;
      return { status: answer ? 200 : 204, headers: {}, body: await Promise.resolve(answer?.()) };
    };
    const client: Requester = { endpoint: '', request };
    this.session = new SessionManager(client, method, {
      shutdown: { revoke: true, timeoutMs: 1000 },
      emit: (event) => void this.events.push(event),
      timers: new Timers(clock),
      random,
      ...(graceMs !== undefined && { graceMs }),
    });
  }

  async open(start = true): Promise<this> {
    await this.session.login();
    if (start) this.session.start();
    return this;
  }

  /** For a call with that much time; synchronous while there is a valid token. */
  acquire(timeLeftMs = 5_000): TokenHandle | Promise<TokenHandle> {
    return this.session.acquire({ timeLeftMs, operation: 'read' });
  }

  told(): string[] {
    return this.events.map(({ type }) => type);
  }
}
