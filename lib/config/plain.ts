import { isDeepStrictEqual } from 'node:util';

/** How deep names reach into values: every level makes a name longer, and deeper ones are never typed. @internal */
export const MAX_NESTING = 32;

/** An object made of braces or by `JSON.parse`, as opposed to an instance of a class. @internal */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

/**
 * A copy of plain objects and arrays; everything else is taken over as it is. Cycles stay cycles, and depth does not matter:
 * a hostile secret may be nested deeper than the stack.
 *
 * @param replace gives what to put in the place of a text
 * @internal
 */
export function copyPlain(value: unknown, replace?: (text: string) => unknown): unknown {
  // Most values are plain texts, and there may be ten thousand.
  if (typeof value === 'string') return replace ? replace(value) : value;
  return typeof value === 'object' ? copyObject(value, replace) : value;
}

function copyObject(value: unknown, replace: (text: string) => unknown = (text) => text): unknown {
  const copies = new Map<object, object>();
  const queue: (readonly [from: object, to: object])[] = [];
  const copy = (original: unknown): unknown => {
    if (typeof original === 'string') return replace(original);
    if (!Array.isArray(original) && !isPlainObject(original)) return original;
    const known = copies.get(original);
    if (known) return known;
    const made: object = Array.isArray(original) ? [] : {};
    copies.set(original, made);
    queue.push([original, made]);
    return made;
  };
  const result = copy(value);
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [from, to] = next;
    for (const [key, inner] of Object.entries(from)) set(to, key, copy(inner));
  }
  return result;
}

/**
 * Whether two values are the same all the way down; as `isDeepStrictEqual`, which runs out of stack on what is nested too
 * deep.
 * @internal
 */
export function samePlain(one: unknown, other: unknown): boolean {
  const compared = new Map<unknown, unknown>();
  const queue: (readonly [unknown, unknown])[] = [[one, other]];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [a, b] = next;
    if (Object.is(a, b)) continue;
    const containers = (Array.isArray(a) && Array.isArray(b)) || (isPlainObject(a) && isPlainObject(b));
    if (!containers) {
      if (!isDeepStrictEqual(a, b)) return false;
      continue;
    }
    if (compared.get(a) === b) continue;
    compared.set(a, b);
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length) return false;
    for (const key of keys) {
      if (!Object.hasOwn(b, key)) return false;
      queue.push([(a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]]);
    }
  }
  return true;
}

/** What plain objects and arrays have at the end of a path; nothing where something else is on the way. @internal */
export function plainAt(value: unknown, path: readonly string[]): unknown {
  let inner = value;
  for (const key of path) {
    if ((!Array.isArray(inner) && !isPlainObject(inner)) || !Object.hasOwn(inner, key)) return undefined;
    inner = (inner as Record<string, unknown>)[key];
  }
  return inner;
}

/** As `ConfigService.get` finds it: the key itself, dots and all, or where they lead. @internal */
export function valueAt(values: object, key: string): unknown {
  if (Object.hasOwn(values, key)) return (values as Record<string, unknown>)[key];
  let value: unknown = values;
  for (const part of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** A value with the objects around it that were taken apart. @internal */
export interface Nested {
  readonly value: unknown;
  readonly around?: Nested | undefined;
}

/** Whether it is one of the objects around it, which would be taken apart forever. @internal */
export function isInsideItself({ value, around }: Nested): boolean {
  for (let outer = around; outer; outer = outer.around) if (outer.value === value) return true;
  return false;
}

/**
 * The values in a value that are not plain objects themselves, each with its path. Lists are values.
 * @internal
 */
export function* leavesOf(leaf: {
  readonly path: readonly string[];
  readonly value: unknown;
}): Generator<{ readonly path: readonly string[]; readonly value: unknown }> {
  const queue: (Nested & { readonly path: readonly string[] })[] = [leaf];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const { path, value } = next;
    if (!isPlainObject(value)) yield next;
    else if (path.length < MAX_NESTING && !isInsideItself(next)) {
      for (const [key, inner] of Object.entries(value))
        queue.push({ path: [...path, key], value: inner, around: next });
    }
  }
}

/** Every text in a value, at any depth. @internal */
export function textsIn(value: unknown): string[] {
  const texts: string[] = [];
  copyPlain(value, (text) => texts.push(text));
  return texts;
}

/** An assignment that makes a property of any name, `__proto__` included. */
function set(object: object, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else (object as Record<string, unknown>)[key] = value;
}
