import { badResponse, isJsonObject } from '../client/response.js';
import type { VaultRequest, VaultResponse } from '../client/vault-request.js';

/**
 * Seal status of one server.
 * @see https://openbao.org/api-docs/system/seal-status/
 * @publicApi
 */
export interface VaultSealStatus {
  readonly initialized: boolean;
  readonly sealed: boolean;
  /** Keys needed to unseal. */
  readonly threshold: number;
  /** Keys that exist. */
  readonly shares: number;
  /** Keys submitted in the attempt under way. */
  readonly progress: number;
  readonly version?: string;
}

/** @throws VaultBadResponseError @internal */
export function parseSealStatus(
  { body }: VaultResponse,
  call: Pick<VaultRequest, 'operation' | 'path'>,
): VaultSealStatus {
  if (!isJsonObject(body) || typeof body['sealed'] !== 'boolean')
    throw badResponse(call, 'the answer is not a seal status');
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
