import type { TracingChannel } from 'node:diagnostics_channel';
import { tracingChannel } from 'node:diagnostics_channel';
import type { VaultErrorCode } from '../errors/index.js';

/**
 * What subscribers of the tracing channels receive. It has no header, no body and no query, and so no token and no secret
 * value; the path is the API path, which names secrets.
 * @publicApi
 */
export interface VaultTraceContext {
  /** What the request does, as text. */
  readonly operation: string;
  readonly method: string;
  /** Percent-encoded API path below `/v1/`. */
  readonly path: string;
  /** Number of the attempt, from 1; of a request, the number of its attempts. */
  attempt: number;
  /** Address of the endpoint that was asked last. */
  endpoint: string;
  /** Status of the response, if there was one. */
  statusCode?: number | undefined;
  /** Set when the request or the attempt failed. Node.js adds the error itself as `error`. */
  errorCode?: VaultErrorCode | undefined;
}

/** One call, from its start to its result, with waits and all attempts. @internal */
export const requestChannel: TracingChannel<object, VaultTraceContext> = tracingChannel('nestjs-vault:request');
/** One attempt of a call: a request and at most one redirect. @internal */
export const attemptChannel: TracingChannel<object, VaultTraceContext> = tracingChannel('nestjs-vault:attempt');

/**
 * Runs `work` as a trace. Its result is not part of what subscribers receive.
 *
 * @internal
 */
export async function trace<T>(
  channel: TracingChannel<object, VaultTraceContext>,
  context: VaultTraceContext,
  work: () => Promise<T>,
): Promise<T> {
  let result: { readonly value: T } | undefined;
  await channel.tracePromise(async () => {
    result = { value: await work() };
  }, context);
  return (result as unknown as { readonly value: T }).value;
}
