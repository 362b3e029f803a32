/**
 * Resolves with what the promise does, or with `undefined` once that time has passed. Rejects as the promise does.
 *
 * @param ref whether the process stays for it. Default: `true`
 * @internal
 */
export async function within<T>(timeoutMs: number, promise: T | Promise<T>, ref = true): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
    if (!ref) timer.unref();
  });
  try {
    return await Promise.race([promise, passed]);
  } finally {
    clearTimeout(timer);
  }
}
