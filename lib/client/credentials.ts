import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';

/** A few logins, with the tokens they brought. */
const MAX_CREDENTIALS = 16;
/** Of all together; it leaves room for what else `redact` looks for. */
const MAX_LENGTH = 16 * 1024;
/** Fields of logins that are names, and may be in messages. */
const NAMES: readonly string[] = [
  ...['role', 'name', 'type', 'subscription_id', 'resource_group_name', 'vm_name', 'vmss_name', 'resource_id'],
  ...['iam_http_request_method', 'iam_request_url', 'iam_request_body'],
];

/**
 * The tokens and login credentials that a client has sent last, so that an error of a later call does not show them when
 * a server quotes them.
 * @internal
 */
export class Credentials {
  readonly #sent = new Set<string>();
  #length = 0;
  #newest: string | undefined;

  /** All of them, the oldest first. */
  get all(): readonly string[] {
    return [...this.#sent];
  }

  /** The token of a call. */
  addToken(token: string): void {
    if (token === this.#newest) return;
    this.#newest = token;
    if (this.#sent.delete(token)) this.#length -= token.length;
    if (token === '' || token.length > MAX_LENGTH) return;
    this.#sent.add(token);
    this.#length += token.length;
    for (const oldest of this.#sent) {
      if (this.#sent.size <= MAX_CREDENTIALS && this.#length <= MAX_LENGTH) break;
      this.#sent.delete(oldest);
      this.#length -= oldest.length;
    }
  }

  /** What a login has sent, except names. */
  addLogin({ body = '{}', secrets, headers, method, path }: PreparedRequest): void {
    const named = body.length > MAX_LENGTH ? [] : Object.entries(Object(JSON.parse(body)) as Record<string, unknown>);
    const values = named.filter(([name]) => !NAMES.includes(name)).map(([, value]) => value);
    const login = { method, path, headers, secrets, body: JSON.stringify(values), credentials: undefined };
    for (const secret of secretsSent(login)) this.addToken(secret);
  }
}
