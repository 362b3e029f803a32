import { mayHoldInexactNumber } from './exact-numbers.js';
import type { RawAnswer } from './exchange.js';
import { Failure } from './failures/failure.js';
import { isCutJson } from './json-cut.js';
import type { CallContext } from './failures/network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';
import { BROKEN, judgeAnswer } from './retry-policy.js';
import { notJson, statusFailure } from './failures/status-failure.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/** Turns what came off the wire into an answer, or into a typed error. @internal */
export function readAnswer(
  answer: RawAnswer,
  request: VaultRequest,
  prepared: PreparedRequest,
  call: CallContext,
): VaultResponse | Failure {
  const { status, headers, text } = answer;
  const wanted = (status >= 200 && status < 300) || request.accept?.includes(status) === true;
  const json = /json/i.test(headers['content-type'] ?? '');
  const body = json ? parse(text) : undefined;
  const cut = json && body === undefined && !headers['content-encoding'] && isCut(text, status, request);
  const foreign = cut || (text !== '' && body === undefined);
  if (wanted && !foreign) return { status, headers, body, ...(json && mayHoldInexactNumber(text) && { text }) };
  const secrets = secretsSent(prepared);
  // A proxy may answer these in words of its own, and the status alone says enough.
  const plain = !wanted && (status >= 500 || status === 429);
  if (foreign && !plain) return new Failure(notJson(answer, cut, secrets, call), cut ? BROKEN : undefined);
  const error = statusFailure({ status, headers, body }, request, secrets, call);
  return new Failure(error, judgeAnswer(answer, error));
}

/** HTTP/2 may hand over half of an answer as a whole one: see docs/adr/0013. */
function isCut(text: string, status: number, { method }: VaultRequest): boolean {
  // No read is answered with 200 and nothing.
  return text === '' ? status === 200 && method === 'GET' : isCutJson(text);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
