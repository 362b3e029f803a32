import type { VaultClient } from '../client/vault-client.js';

/** The outcome of a login. @internal */
export interface Login {
  readonly token: string;
  readonly accessor: string | undefined;
  readonly policies: readonly string[];
  /** Seconds the token lives from the moment of the login; 0 = for ever. */
  readonly leaseDuration: number;
  readonly renewable: boolean;
  /** `service` or `batch`. */
  readonly tokenType: string;
  /** Namespace the token was issued in; `undefined` for the client's own. */
  readonly namespace: string | undefined;
  /** True when this module obtained the token and so may revoke it. */
  readonly owned: boolean;
}

/** One way to obtain a token; made once, asked at every login. @internal */
export interface LoginMethod {
  readonly method: string;
  login(client: VaultClient, signal?: AbortSignal): Promise<Login>;
}
