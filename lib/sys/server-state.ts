import type { JsonObject, VaultRequest, VaultResponse } from '../client/vault-request.js';
import { badResponse, isJsonObject } from '../client/vault-request.js';

/**
 * State of a server as `sys/health` reports it.
 * @publicApi
 */
export type VaultServerState =
  'active' | 'standby' | 'performance-standby' | 'dr-secondary' | 'not-initialized' | 'sealed';

/**
 * Health of one server.
 * @publicApi
 */
export interface VaultHealth {
  readonly state: VaultServerState;
  /** HTTP status of the response, which encodes the state. */
  readonly statusCode: number;
  readonly initialized: boolean;
  readonly sealed: boolean;
  readonly standby: boolean;
  readonly version?: string;
  readonly clusterName?: string;
}

/** Status codes of `sys/health`. OpenBao does not use 472 and 473. */
const STATES: Readonly<Record<number, VaultServerState>> = {
  200: 'active',
  429: 'standby',
  472: 'dr-secondary',
  473: 'performance-standby',
  501: 'not-initialized',
  503: 'sealed',
};

/** @internal */
export const HEALTH_CODES: readonly number[] = Object.keys(STATES).map(Number);

/** @throws VaultBadResponseError if the response is not a health report of Vault @internal */
export function parseHealth(response: VaultResponse, call: Pick<VaultRequest, 'operation' | 'path'>): VaultHealth {
  const state = STATES[response.status];
  const body: JsonObject | undefined = isJsonObject(response.body) ? response.body : undefined;
  if (!state || typeof body?.['initialized'] !== 'boolean' || typeof body['sealed'] !== 'boolean') {
    throw badResponse(
      call,
      'the response is not the health of a Vault server',
      'A load balancer may have responded in its place.',
    );
  }
  return {
    state,
    statusCode: response.status,
    initialized: body['initialized'],
    sealed: body['sealed'],
    standby: body['standby'] === true,
    ...(typeof body['version'] === 'string' && { version: body['version'] }),
    ...(typeof body['cluster_name'] === 'string' && { clusterName: body['cluster_name'] }),
  };
}

/**
 * Seal status of one server.
 * @see https://openbao.org/api-docs/system/seal-status/
 * @publicApi
 */
export interface VaultSealStatus {
  readonly initialized: boolean;
  readonly sealed: boolean;
  /** Number of keys needed to unseal. */
  readonly threshold: number;
  /** Number of keys that exist. */
  readonly shares: number;
  /** Number of keys submitted in the current attempt. */
  readonly progress: number;
  readonly version?: string;
}

/** @throws VaultBadResponseError @internal */
export function parseSealStatus(
  { body }: VaultResponse,
  call: Pick<VaultRequest, 'operation' | 'path'>,
): VaultSealStatus {
  if (!isJsonObject(body) || typeof body['sealed'] !== 'boolean')
    throw badResponse(call, 'the response is not a seal status');
  const { initialized, sealed, t, n, progress, version } = body;
  return {
    initialized: initialized === true,
    sealed,
    threshold: typeof t === 'number' ? t : 0,
    shares: typeof n === 'number' ? n : 0,
    progress: typeof progress === 'number' ? progress : 0,
    ...(typeof version === 'string' && { version }),
  };
}
