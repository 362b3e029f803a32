import type { Connections } from './connections/connections.js';

/**
 * One server and what is known of it.
 * @internal
 */
export class Endpoint {
  /** It said of itself that another one is active. */
  standby = false;
  /** Failures since it last worked. */
  failures = 0;
  /** Not asked before that moment, by the monotonic clock. */
  restsUntil = 0;
  /** Its last failure was one that waiting does not mend: sealed, not initialised, a bad certificate. */
  hopeless = false;
  /** What its last failure was, in a word or two. */
  ailment: string | undefined;
  /** When calls were last turned to it. */
  adoptedAt = 0;

  constructor(
    /** Scheme, host, port and path prefix, or a unix socket. */
    readonly address: string,
    readonly connections: Connections,
  ) {}
}
