import type { Clock } from '../lifetime/clock.js';
import { backoffMs } from '../lifetime/backoff.js';
import type { Waiters } from '../lifetime/race.js';
import type { ClientOptions } from './client-options.js';
import type { Connect, HttpConnections } from './connections/connections.js';
import type { EndpointRole } from './endpoint-probe.js';
import { probe } from './endpoint-probe.js';
import type { Attempts } from './retry.js';

const COOLDOWN = { firstMs: 200, maxMs: 2000, jitter: [0.5, 1] } as const;
/** How long a standby that has responded waits for an active server to respond as well. */
const ACTIVE_GRACE_MS = 300;
/** A probe that takes longer has failed. */
const MAX_PROBE_MS = 3000;
/** How long one call tries an endpoint that failed before, until another call may. */
const PROBATION_MS = 1000;
/** How often an active server is looked for while calls go to a standby. */
const STANDBY_RECHECK_MS = 10_000;

/**
 * - `up`: it responds;
 * - `standby`: it responds, and another server of the cluster is active;
 * - `down`: its last request failed;
 * - `unusable`: it needs an operator, such as a sealed server among several;
 * - `unknown`: it has not been asked yet.
 * @publicApi
 */
export type VaultEndpointState = 'up' | 'standby' | 'down' | 'unusable' | 'unknown';

/**
 * One server at one moment.
 * @publicApi
 */
export interface VaultEndpointStatus {
  /** Scheme, host, port and path prefix, or a unix socket. */
  readonly address: string;
  readonly state: VaultEndpointState;
  /** Whether calls go to it. */
  readonly current: boolean;
  /** Why its last request failed, in a word or two; `undefined` once it has responded again. */
  readonly lastError: string | undefined;
}

/** One server and what is known about it. @internal */
export class Endpoint {
  /** Its last health response said that another server is active. */
  standby = false;
  /** Consecutive failures. */
  failures = 0;
  /** No request is sent before this moment of the monotonic clock. */
  retryAfter = 0;
  /** Its last failure was one that waiting does not repair: sealed, not initialized, a bad certificate. */
  permanentlyDown = false;
  /** Whether it has responded to a request. */
  responded = false;
  /** Its last failure, in a word or two. */
  lastError: string | undefined;
  /** When calls were last switched to it. */
  selectedAt = 0;
  /** Scheme, host, port and path prefix, or a unix socket. */
  readonly address: string;
  readonly connections: HttpConnections;

  constructor(address: string, connections: HttpConnections) {
    this.address = address;
    this.connections = connections;
  }
}

/**
 * The endpoints of one cluster: finds one that works, preferably the active server, and keeps it until it fails.
 *
 * An endpoint that failed has a cooldown, longer each time. While all of them have one, calls wait; they share one probe, and
 * the first call to an endpoint that had failed goes alone.
 * @internal
 */
export class Endpoints {
  readonly #all: readonly [Endpoint, ...Endpoint[]];
  readonly #options: ClientOptions;
  readonly #waiters: Waiters;
  readonly #clock: Clock;
  readonly #onChanged: ((endpoint: string) => void) | undefined;
  #current: Endpoint | undefined;
  #last: Endpoint;
  /** The current endpoint failed before and has not worked since. */
  #onProbation = false;
  #probationEndsAt = 0;
  #search: Promise<void> | undefined;
  #recheckAt = 0;
  #changed!: Promise<void>;
  #notifyChanged: () => void = () => undefined;

  /** Opens no connection. */
  constructor(
    options: ClientOptions,
    connect: Connect,
    waiters: Waiters,
    clock: Clock,
    onChanged?: (endpoint: string) => void,
  ) {
    const create = (address: string): Endpoint => new Endpoint(address, connect(address));
    this.#all = [create(options.endpoint), ...(options.otherEndpoints ?? []).map(create)];
    this.#options = options;
    this.#waiters = waiters;
    this.#clock = clock;
    this.#onChanged = onChanged;
    this.#last = this.#all[0];
    if (this.#all.length === 1) this.#current = this.#last;
    this.#onChange();
  }

  get size(): number {
    return this.#all.length;
  }

  get addresses(): readonly string[] {
    return this.#all.map(({ address }) => address);
  }

  /** Address of the endpoint in use; of the first one before there is one. */
  get address(): string {
    return this.#last.address;
  }

  get status(): readonly VaultEndpointStatus[] {
    return this.#all.map((endpoint) => ({
      address: endpoint.address,
      state: stateOf(endpoint),
      current: endpoint === this.#current,
      lastError: endpoint.lastError,
    }));
  }

  /** All addresses, each with its last failure. */
  describe(): string {
    const parts = this.#all.map(({ address, lastError }) =>
      lastError === undefined ? address : `${address} (${lastError})`,
    );
    return parts.join(', ');
  }

  /** Whether waiting helps at none of them. */
  get permanentlyDown(): boolean {
    return this.#all.every(({ permanentlyDown }) => permanentlyDown);
  }

  /** One of them by its address. */
  at(address: string): Endpoint | undefined {
    return this.#all.find((endpoint) => endpoint.address === address);
  }

  /** The endpoint for a request now; `undefined` when there is none at the moment. */
  current(): Endpoint | undefined {
    const current = this.#current;
    if (!current || (!this.#onProbation && !current.standby)) return current;
    const now = this.#clock.monotonic();
    if (this.#onProbation) {
      if (now < this.#probationEndsAt) return undefined;
      this.#probationEndsAt = now + PROBATION_MS;
    }
    if (current.standby && now >= this.#recheckAt) void this.#lookForActive();
    return current;
  }

  /** Waits for an endpoint; `undefined` when there is none before the deadline, or the call was aborted. */
  async waitForEndpoint(
    deadline: number,
    signal: AbortSignal | undefined,
    attempts: Attempts | undefined,
  ): Promise<Endpoint | undefined> {
    for (;;) {
      const current = this.current();
      if (current) return current;
      // Each gets one more request, so that the caller learns what is wrong with them; and one may have been repaired.
      if (this.permanentlyDown) return this.#all.find(({ address }) => !attempts?.has(address)) ?? this.#all[0];
      const now = this.#clock.monotonic();
      if (now >= deadline || signal?.aborted || this.#waiters.closed) return undefined;
      const wake = this.#current ? this.#changed : this.#searchOnce();
      const end = this.#current ? Math.min(deadline, this.#probationEndsAt) : deadline;
      await this.#waiters.sleep(end - now, { signal, wake, clock: this.#clock });
    }
  }

  /** The endpoint has responded, with any status. */
  markUp(endpoint: Endpoint): void {
    const isKnown = endpoint.responded && endpoint.lastError === undefined;
    if (isKnown && endpoint === this.#current && !this.#onProbation && endpoint.failures === 0) return;
    endpoint.responded = true;
    endpoint.failures = 0;
    endpoint.permanentlyDown = false;
    endpoint.lastError = undefined;
    if (!this.#current) this.switchTo(endpoint);
    if (endpoint !== this.#current) return;
    this.#onProbation = false;
    this.#onChange();
  }

  /** The endpoint has failed a request that was sent to it at that time. */
  markDown(endpoint: Endpoint, permanently: boolean, error: string, sentAt: number): void {
    // A request sent before it came back says nothing about it now.
    if (sentAt < endpoint.selectedAt) return;
    endpoint.lastError = error;
    // With one endpoint there is no choice.
    if (this.size === 1) return;
    endpoint.permanentlyDown = permanently;
    this.#startCooldown(endpoint);
    if (endpoint !== this.#current) return;
    this.#current = undefined;
    this.#onChange();
  }

  /** Sends calls to this endpoint from now on. */
  switchTo(endpoint: Endpoint): void {
    if (this.size === 1) return;
    const now = this.#clock.monotonic();
    endpoint.selectedAt = now;
    this.#current = endpoint;
    this.#onProbation = endpoint.failures > 0;
    this.#probationEndsAt = 0;
    this.#recheckAt = now + STANDBY_RECHECK_MS;
    const moved = endpoint !== this.#last;
    this.#last = endpoint;
    this.#onChange();
    if (moved) this.#onChanged?.(endpoint.address);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(({ connections }) => connections.close()));
  }

  /** One search at a time, for all callers. */
  #searchOnce(): Promise<void> {
    this.#search ??= this.#find().finally(() => (this.#search = undefined));
    return this.#search;
  }

  async #find(): Promise<void> {
    const now = this.#clock.monotonic();
    const ready = this.#all.filter(({ retryAfter }) => retryAfter <= now);
    if (ready.length === 0) {
      const next = Math.min(...this.#all.map(({ retryAfter }) => retryAfter));
      return this.#waiters.sleep(next - now, { wake: this.#changed, clock: this.#clock });
    }
    const found = await this.#probeAll(ready);
    if (found && !this.#current) this.switchTo(found);
  }

  async #lookForActive(): Promise<void> {
    const now = this.#clock.monotonic();
    this.#recheckAt = now + STANDBY_RECHECK_MS;
    const found = await this.#probeAll(this.#all.filter(({ retryAfter }) => retryAfter <= now));
    if (found && !found.standby && this.#current?.standby) this.switchTo(found);
  }

  /** Probes endpoints, all at once: the first active one that responds, else a standby, else none. */
  #probeAll(endpoints: readonly Endpoint[]): Promise<Endpoint | undefined> {
    const timeoutMs = Math.min(this.#options.connectTimeoutMs, MAX_PROBE_MS);
    return new Promise((resolve) => {
      let open = endpoints.length;
      let standby: Endpoint | undefined;
      let cancelGrace: (() => void) | undefined;
      const end = (found: Endpoint | undefined): void => {
        cancelGrace?.();
        resolve(found);
      };
      if (open === 0) end(undefined);
      for (const endpoint of endpoints) {
        const sentAt = this.#clock.monotonic();
        void probe(endpoint, this.#options.headers, timeoutMs).then(({ role, error }) => {
          open -= 1;
          this.#record(endpoint, role, error, sentAt);
          if (role === 'active') return end(endpoint);
          if (role === 'standby') standby ??= endpoint;
          if (open === 0) end(standby);
          else if (standby) cancelGrace ??= this.#clock.setTimer(ACTIVE_GRACE_MS, () => end(standby), true);
        });
      }
    });
  }

  #record(endpoint: Endpoint, role: EndpointRole, error: string, sentAt: number): void {
    if (role === 'down' || role === 'unusable') return this.markDown(endpoint, role === 'unusable', error, sentAt);
    endpoint.standby = role === 'standby';
    endpoint.responded = true;
    endpoint.permanentlyDown = false;
    endpoint.lastError = undefined;
  }

  /** Many calls fail together: only the first of these failures counts. */
  #startCooldown(endpoint: Endpoint): void {
    const now = this.#clock.monotonic();
    if (now < endpoint.retryAfter) return;
    endpoint.failures += 1;
    // With jitter: instances of an application that lost the same server come back to it at different times.
    endpoint.retryAfter = now + backoffMs(endpoint.failures, COOLDOWN);
  }

  #onChange(): void {
    this.#notifyChanged();
    this.#changed = new Promise((resolve) => (this.#notifyChanged = resolve));
  }
}

function stateOf({ permanentlyDown, lastError, standby, responded }: Endpoint): VaultEndpointState {
  if (permanentlyDown) return 'unusable';
  if (lastError !== undefined) return 'down';
  if (standby) return 'standby';
  return responded ? 'up' : 'unknown';
}
