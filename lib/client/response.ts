import { VaultBadResponseError } from '../errors/index.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** A JSON object. @internal */
export type JsonObject = Record<string, unknown>;

/** @internal */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The `data` object of an answer.
 *
 * @param advice what may be the matter, added to the message
 * @throws VaultBadResponseError when there is none
 * @internal
 */
export function dataOf(
  response: VaultResponse,
  request: Pick<VaultRequest, 'operation' | 'path'>,
  advice = '',
): JsonObject {
  const data = isJsonObject(response.body) ? response.body['data'] : undefined;
  if (isJsonObject(data)) return data;
  throw badResponse(request, 'the answer has no "data" object', advice);
}

/** @internal */
export function badResponse(
  request: Pick<VaultRequest, 'operation' | 'path'>,
  why: string,
  advice = '',
  reason?: string,
): VaultBadResponseError {
  const operation = request.operation ?? request.path;
  return new VaultBadResponseError(`Cannot ${operation}: ${why}.${advice && ` ${advice}`}`, {
    operation,
    path: request.path,
    reason,
  });
}

/** The texts in a list of a response. A server may put anything there, and not everything can become text. @internal */
export function textList(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((entry) => typeof entry === 'string') : [];
}
