import type { LoginMethodDefinition } from '../login.js';

/**
 * No login and no token: a Vault Agent or Proxy next to the application adds its own token (`auto_auth` with
 * `use_auto_auth_token`). Requests have no token header, and nothing is looked up, renewed or revoked.
 * @see https://openbao.org/docs/agent-and-proxy/
 * @publicApi
 */
export interface NoneAuth {
  readonly method: 'none';
}

/** @internal */
export const none: LoginMethodDefinition<NoneAuth> = {
  shape: {},
  create: () => ({
    method: 'none',
    login: () =>
      Promise.resolve({
        token: undefined,
        accessor: undefined,
        policies: [],
        leaseDuration: 0,
        renewable: false,
        tokenType: 'none',
        namespace: undefined,
        owned: false,
      }),
  }),
};
