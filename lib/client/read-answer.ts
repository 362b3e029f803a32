import type { RawAnswer } from './exchange.js';
import { Failure } from './failure.js';
import type { CallContext } from './network-failure.js';
import type { PreparedRequest } from './prepare-request.js';
import { secretsSent } from './prepare-request.js';
import { judgeAnswer } from './retry-policy.js';
import { notJson, statusFailure } from './status-failure.js';
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
  const body = /json/i.test(headers['content-type'] ?? '') ? parse(text) : undefined;
  const foreign = text !== '' && body === undefined;
  if (wanted && !foreign) return { status, headers, body };
  const secrets = secretsSent(prepared);
  // A proxy may answer these in words of its own, and the status alone says enough.
  const plain = !wanted && (status >= 500 || status === 429);
  if (foreign && !plain) return new Failure(notJson(answer, secrets, call), undefined);
  const error = statusFailure({ status, headers, body }, request, secrets, call);
  return new Failure(error, judgeAnswer(answer, error));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
