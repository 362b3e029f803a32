import { Connections } from './connections/connections.js';
import { Endpoint } from './endpoint.js';
import type { Role } from './probe.js';
import { probe } from './probe.js';
import type { TransportOptions } from './transport.options.js';
import type { Tries } from './tries.js';
import type { Waits } from './waits.js';

const SHORTEST_REST_MS = 200;
const LONGEST_REST_MS = 2000;
/** How long standbys wait for an active server to answer as well. */
const GRACE_MS = 300;
/** A probe that takes longer has failed. */
const LONGEST_PROBE_MS = 3000;
/** How long one call tries a server that failed before, until another call may. */
const TRIAL_MS = 1000;
/** After so long on a standby it is looked whether there is an active server again. */
const LOOK_AGAIN_MS = 10_000;

/**
 * The servers of one cluster: finds one that works, the active one if it can, and keeps it until it fails.
 *
 * A server that failed rests for a while, longer each time. While all of them do, calls wait; one probe asks for all of
 * them, and the first call to a server that had failed goes alone.
 * @internal
 */
export class Endpoints {
  readonly #all: readonly Endpoint[];
  readonly #options: TransportOptions;
  readonly #waits: Waits;
  #current: Endpoint | undefined;
  #last: Endpoint;
  /** The current server failed before and has not worked since. */
  #unproven = false;
  #trialUntil = 0;
  #locating: Promise<void> | undefined;
  #lookAgainAt = 0;
  #news!: Promise<void>;
  #tell: () => void = () => undefined;

  private constructor(all: readonly [Endpoint, ...Endpoint[]], options: TransportOptions, waits: Waits) {
    this.#all = all;
    this.#options = options;
    this.#waits = waits;
    this.#last = all[0];
    if (all.length === 1) this.#current = all[0];
    this.#changed();
  }

  /** Opens no connection yet. */
  static async prepare(options: TransportOptions, waits: Waits): Promise<Endpoints> {
    const make = async (endpoint: string): Promise<Endpoint> =>
      new Endpoint(endpoint, await Connections.prepare({ ...options, endpoint }));
    const first = await make(options.endpoint);
    const others = await Promise.all((options.otherEndpoints ?? []).map(make));
    return new Endpoints([first, ...others], options, waits);
  }

  get size(): number {
    return this.#all.length;
  }

  get addresses(): readonly string[] {
    return this.#all.map(({ address }) => address);
  }

  /** The server in use; the first one before there is any. */
  get address(): string {
    return this.#last.address;
  }

  /** All addresses, each with what ailed its server last. */
  describe(): string {
    const parts = this.#all.map(({ address, ailment }) =>
      ailment === undefined ? address : `${address} (${ailment})`,
    );
    return parts.join(', ');
  }

  /** Whether waiting helps at none of them. */
  get hopeless(): boolean {
    return this.#all.every(({ hopeless }) => hopeless);
  }

  /** One of them by its address. */
  at(address: string): Endpoint | undefined {
    return this.#all.find((endpoint) => endpoint.address === address);
  }

  /** The server to ask now; `undefined` when one has to be looked for. */
  take(): Endpoint | undefined {
    const current = this.#current;
    if (!current || (!this.#unproven && !current.standby)) return current;
    const now = performance.now();
    if (this.#unproven) {
      if (now < this.#trialUntil) return undefined;
      this.#trialUntil = now + TRIAL_MS;
    }
    if (current.standby && now >= this.#lookAgainAt) void this.#lookForActive();
    return current;
  }

  /** Looks for a server to ask; `undefined` when there is none before the deadline, or the caller no longer wants it. */
  async find(
    deadline: number,
    signal: AbortSignal | undefined,
    tries: Tries | undefined,
  ): Promise<Endpoint | undefined> {
    for (;;) {
      const taken = this.take();
      if (taken) return taken;
      // Each is asked once more, so that the caller gets to know what ails them; and one may have been mended.
      if (this.hopeless) return this.#all.find(({ address }) => !tries?.has(address)) ?? this.#all[0];
      const now = performance.now();
      if (now >= deadline || signal?.aborted || this.#waits.over) return undefined;
      if (this.#current) await this.#waits.wait(Math.min(deadline, this.#trialUntil) - now, signal, this.#news);
      else await this.#waits.wait(deadline - now, signal, this.#locate());
    }
  }

  /** The server has answered, whatever it said. */
  worked(endpoint: Endpoint): void {
    if (endpoint === this.#current && !this.#unproven && endpoint.failures === 0) return;
    endpoint.failures = 0;
    endpoint.hopeless = false;
    endpoint.ailment = undefined;
    if (!this.#current) this.adopt(endpoint);
    if (endpoint !== this.#current) return;
    this.#unproven = false;
    this.#changed();
  }

  /** The server has failed a call that was sent to it at that time, with that ailment. */
  failed(endpoint: Endpoint, final: boolean, ailment: string, askedAt: number): void {
    // With one server there is nothing to choose; and what was asked before it came back says nothing of it now.
    if (this.size === 1 || askedAt < endpoint.adoptedAt) return;
    endpoint.hopeless = final;
    endpoint.ailment = ailment;
    this.#rest(endpoint);
    if (endpoint !== this.#current) return;
    this.#current = undefined;
    this.#changed();
  }

  /** Turns calls to a server. */
  adopt(endpoint: Endpoint): void {
    if (this.size === 1) return;
    const now = performance.now();
    endpoint.adoptedAt = now;
    this.#current = endpoint;
    this.#unproven = endpoint.failures > 0;
    this.#trialUntil = 0;
    this.#lookAgainAt = now + LOOK_AGAIN_MS;
    const moved = endpoint !== this.#last;
    this.#last = endpoint;
    this.#changed();
    if (moved) this.#options.onEndpoint?.(endpoint.address);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(({ connections }) => connections.close()));
  }

  /** One search at a time, whoever wants it. */
  #locate(): Promise<void> {
    this.#locating ??= this.#search().finally(() => (this.#locating = undefined));
    return this.#locating;
  }

  async #search(): Promise<void> {
    const now = performance.now();
    const rested = this.#all.filter(({ restsUntil }) => restsUntil <= now);
    if (rested.length === 0) {
      const next = Math.min(...this.#all.map(({ restsUntil }) => restsUntil));
      return this.#waits.wait(next - now, undefined, this.#news);
    }
    const found = await this.#survey(rested);
    if (found && !this.#current) this.adopt(found);
  }

  async #lookForActive(): Promise<void> {
    const now = performance.now();
    this.#lookAgainAt = now + LOOK_AGAIN_MS;
    const found = await this.#survey(this.#all.filter(({ restsUntil }) => restsUntil <= now));
    if (found && !found.standby && this.#current?.standby) this.adopt(found);
  }

  /** Asks servers for their health, all at once: the first active one that answers, else a standby, else none. */
  #survey(endpoints: readonly Endpoint[]): Promise<Endpoint | undefined> {
    const timeoutMs = Math.min(this.#options.connectTimeoutMs, LONGEST_PROBE_MS);
    return new Promise((resolve) => {
      let open = endpoints.length;
      let standby: Endpoint | undefined;
      let grace: NodeJS.Timeout | undefined;
      const end = (found: Endpoint | undefined): void => {
        clearTimeout(grace);
        resolve(found);
      };
      if (open === 0) end(undefined);
      for (const endpoint of endpoints) {
        const askedAt = performance.now();
        void probe(endpoint, this.#options.headers, timeoutMs).then(({ role, ailment }) => {
          open -= 1;
          this.#learn(endpoint, role, ailment, askedAt);
          if (role === 'active') return end(endpoint);
          if (role === 'standby') standby ??= endpoint;
          if (open === 0) end(standby);
          else if (standby) grace ??= setTimeout(() => end(standby), GRACE_MS);
        });
      }
    });
  }

  #learn(endpoint: Endpoint, role: Role, ailment: string, askedAt: number): void {
    if (role === 'failing' || role === 'hopeless') return this.failed(endpoint, role === 'hopeless', ailment, askedAt);
    endpoint.standby = role === 'standby';
    endpoint.hopeless = false;
    endpoint.ailment = undefined;
  }

  /** Many calls fail together: only the first failure of a time counts. */
  #rest(endpoint: Endpoint): void {
    const now = performance.now();
    if (now < endpoint.restsUntil) return;
    const restMs = Math.min(LONGEST_REST_MS, SHORTEST_REST_MS * 2 ** endpoint.failures);
    endpoint.failures += 1;
    // Instances of an application that lost the same server come back to it at different times.
    endpoint.restsUntil = now + restMs * (0.5 + Math.random() / 2);
  }

  #changed(): void {
    this.#tell();
    this.#news = new Promise((resolve) => (this.#tell = resolve));
  }
}
