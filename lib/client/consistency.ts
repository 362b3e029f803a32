/**
 * What reads may miss, in a cluster whose standbys serve reads.
 *
 * - `off`: a read may not yet show a write of this client.
 * - `read-your-writes`: a read sees what this client has written or read before. A server that lags catches up or
 *   passes the read on (OpenBao 2.7 and later), or refuses it and is asked again (Vault Enterprise).
 * - `forward`: as before, and a server that lags passes the read on to the active one at once. Vault Enterprise must
 *   allow that (`allow_forwarding_via_header`).
 * @publicApi
 */
export type VaultConsistency = 'off' | 'read-your-writes' | 'forward';

const INDEX = 'x-vault-index';
const INCONSISTENT = 'x-vault-inconsistent';
const FORWARD = 'forward-active-node';
/** OpenBao waits for a few milliseconds only, and then does what comes next in the list. */
const AWAIT = ['await-state', FORWARD];
/** Longer than any server writes it. It is sent back with every request. */
const MAX_STATE_LENGTH = 1024;
/** As many as differ: what is known of the local storage, and of the replicated one. */
const MAX_STATES = 2;

/** A state of a server's storage; `header` is what it goes back in. */
interface State {
  readonly header: string;
  readonly cluster: string;
  /** Vault counts local and replicated writes, OpenBao has one value. */
  readonly indexes: readonly bigint[] | undefined;
  readonly openBao: boolean;
}

/**
 * Keeps the state of the server's storage that responses report, and requires it in later requests.
 * @see https://developer.hashicorp.com/vault/docs/enterprise/consistency
 * @see https://openbao.org/community/rfcs/index-headers/
 * @internal
 */
export class Consistency {
  readonly #mode: VaultConsistency;
  #states: readonly State[] = [];

  constructor(mode: VaultConsistency) {
    this.#mode = mode;
  }

  /** The given headers, and those that ask for the state known so far. */
  apply(headers: Readonly<Record<string, string>>): Record<string, string | string[]> {
    const [first] = this.#states;
    if (!first) return headers;
    const asked: Record<string, string | string[]> = { ...headers, [INDEX]: this.#states.map(({ header }) => header) };
    if (this.#mode === 'forward') asked[INCONSISTENT] = FORWARD;
    else if (first.openBao) asked[INCONSISTENT] = AWAIT;
    return asked;
  }

  /** Records the state that a response reports. */
  record(headers: Readonly<Record<string, string>>): void {
    const header = headers[INDEX];
    if (header === undefined || this.#states.some((known) => known.header === header)) return;
    const state = parse(header);
    if (state) this.#states = merge(this.#states, state);
  }

  /** Asks for nothing any more: a storage that was restored from a backup may never get to the state known. */
  forget(): void {
    this.#states = [];
  }
}

function merge(known: readonly State[], fresh: State): readonly State[] {
  // Responses overtake each other: what is older in all is dropped, and what is newer in some stays beside the other.
  const kept = known.filter((state) => comparable(state, fresh) && !covers(fresh, state));
  if (kept.some((state) => covers(state, fresh))) return known;
  return [...kept, fresh].slice(-(fresh.openBao ? 1 : MAX_STATES));
}

function comparable(a: State, b: State): boolean {
  return a.cluster === b.cluster && a.indexes !== undefined && b.indexes !== undefined;
}

/** Whether state `a` includes state `b`. */
function covers(a: State, b: State): boolean {
  return b.indexes?.every((index, place) => index <= (a.indexes?.[place] ?? -1n)) === true;
}

/** `undefined` for what neither server writes: sent back, it would always be refused. */
function parse(header: string): State | undefined {
  if (header.length > MAX_STATE_LENGTH || !/^[\w+/=-]+$/.test(header)) return undefined;
  const text = Buffer.from(header, 'base64').toString('utf8');
  const [, cluster, local, replicated] = /^v1:([^:]+):(\d{1,20}):(\d{1,20}):[0-9a-f]+$/.exec(text) ?? [];
  if (cluster !== undefined && local !== undefined && replicated !== undefined) {
    return { header, cluster, indexes: [BigInt(local), BigInt(replicated)], openBao: false };
  }
  try {
    const { cluster: name, value } = JSON.parse(text) as { cluster?: unknown; value?: unknown };
    if (typeof name !== 'string' || typeof value !== 'string') return undefined;
    // Opaque by its definition; a number where the storage is Raft.
    return { header, cluster: name, indexes: /^\d{1,20}$/.test(value) ? [BigInt(value)] : undefined, openBao: true };
  } catch {
    return undefined;
  }
}
