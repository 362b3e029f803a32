/** Where `ConfigService` keeps what `ConfigModule`'s validation has made of the environment. @internal */
export const VALIDATED_ENVIRONMENT = '_PROCESS_ENV_VALIDATED';

/** Names that would reach into the machinery of JavaScript objects, or of `ConfigService`, instead of naming a value. */
const RESERVED = ['__proto__', 'constructor', 'prototype', VALIDATED_ENVIRONMENT];

/** @internal */
export function isReservedKey(key: string): boolean {
  return RESERVED.includes(key);
}

/** Whether a name of the configuration leads somewhere: dots separate containers. @internal */
export function isKeyPath(key: string): boolean {
  return key.split('.').every((part) => part !== '' && !isReservedKey(part));
}

/** Looks through a whole value, without recursion: a hostile one may be nested deeper than the stack. @internal */
export function reservedKeyIn(value: unknown): string | undefined {
  const queue: unknown[] = [value];
  while (queue.length > 0) {
    const next = queue.pop();
    if (typeof next !== 'object' || next === null) continue;
    for (const key of Object.keys(next)) {
      if (isReservedKey(key)) return key;
      const inner = (next as Record<string, unknown>)[key];
      if (typeof inner === 'object') queue.push(inner);
    }
  }
  return undefined;
}
