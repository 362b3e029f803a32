import { VaultAbortedError, VaultNotFoundError, VaultPermissionError, VaultTimeoutError } from '../errors/index.js';
import type { TokenHandle, TokenSource } from './token-source.js';
import type { Transport } from './transport.js';
import type { VaultRequest, VaultResponse } from './vault-request.js';

/**
 * Sends a call with a token of the session: waits for one where there is none, and repeats the call once when the token
 * turns out to be dead. All within the call's one deadline.
 * @internal
 */
export async function sendWithToken(
  transport: Transport,
  tokens: TokenSource,
  request: VaultRequest,
  timeoutMs: number,
): Promise<VaultResponse> {
  const operation = request.operation ?? `${request.method} ${request.path}`;
  // Nothing to wait with; the transport has words for it, and sends nothing.
  if (!canWait(request, timeoutMs)) return transport.send({ ...request, token: null });
  const end = performance.now() + timeoutMs;
  const timeLeftMs = () => Math.max(1, end - performance.now());
  const budget = () => ({ timeLeftMs: timeLeftMs(), operation });
  const inTime = <T extends TokenHandle | undefined>(work: Promise<T>) =>
    within(work, request, timeLeftMs(), operation, transport.endpoint);

  const acquired = tokens.acquire(budget());
  const waited = acquired instanceof Promise;
  const first = waited ? await inTime(acquired) : acquired;
  try {
    return await send(transport, waited ? { ...request, timeoutMs: timeLeftMs() } : request, first);
  } catch (error) {
    if (!(error instanceof VaultPermissionError) || error.policyDenied) throw error;
    const second = await inTime(tokens.replaceRejected(first, error, budget()));
    if (!second) throw error;
    return send(transport, { ...request, timeoutMs: timeLeftMs() }, second);
  }
}

async function send(transport: Transport, request: VaultRequest, handle: TokenHandle): Promise<VaultResponse> {
  let accepted = false;
  try {
    const answer = await transport.send(handle.token === undefined ? request : { ...request, token: handle.token });
    accepted = true;
    return answer;
  } catch (error) {
    // Whatever else the server found wrong, it has looked at the token first.
    accepted = error instanceof VaultNotFoundError || (error instanceof VaultPermissionError && error.policyDenied);
    throw error;
  } finally {
    handle.release(accepted);
  }
}

function canWait({ signal }: VaultRequest, timeoutMs: unknown): boolean {
  const signals =
    signal === undefined || typeof (signal as Partial<AbortSignal> | null)?.addEventListener === 'function';
  return signals && typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs < 2 ** 31;
}

/** A caller's wait for what others wait for too: it ends with the caller's deadline or signal, the work goes on. */
async function within<T extends TokenHandle | undefined>(
  work: Promise<T>,
  { signal }: VaultRequest,
  timeLeftMs: number,
  operation: string,
  endpoint: string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    const details = { operation, endpoint };
    timer = setTimeout(
      () =>
        reject(
          new VaultTimeoutError(
            `Cannot ${operation} at ${endpoint}: there is no valid token, and no login within the deadline of this call. Check the server's health, or raise "request.timeoutMs".`,
            details,
          ),
        ),
      timeLeftMs,
    );
    onAbort = () =>
      reject(new VaultAbortedError(`Cannot ${operation} at ${endpoint}: the caller aborted it.`, details));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, over]);
  } catch (error) {
    // Nothing uses what is acquired after the caller has left.
    work.then((handle) => handle?.release(false)).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}
