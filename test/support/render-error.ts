import { format, inspect, types } from 'node:util';

// An error that reaches more than this holds on to a request, a socket or a client: a leak of another kind.
const MAX_OBJECTS = 50_000;

/**
 * Renders whatever was thrown in every way that could end up in a log, and on top of that all that can be reached from it:
 * properties that are not enumerable, symbols, getters, causes, the errors of an `AggregateError`, entries of Maps and Sets,
 * bytes as text. Only `#private` fields and closures that no method gives away stay unseen, as they do for everybody else.
 *
 * @throws Error when more than 50,000 objects can be reached.
 */
export function renderError(error: unknown): string {
  const { lines, errors } = walk(error);
  // The value itself comes first even when it is no error: it is what a logger is given.
  for (const each of new Set([error, ...errors])) lines.push(...renderings(each));
  return lines.join('\n');
}

function renderings(value: unknown): string[] {
  const everything = { depth: Infinity, maxArrayLength: null, maxStringLength: null, showProxy: true } as const;
  const ways: Record<string, () => unknown> = {
    String: () => String(value),
    'String of the stack': () => String((value as Error).stack),
    'format %s': () => format('%s', value),
    'format %o': () => format('%o', value),
    'format %j': () => format('%j', value),
    inspect: () => inspect(value),
    'inspect everything': () => inspect(value, everything),
    'inspect everything hidden': () => inspect(value, { ...everything, showHidden: true, getters: true }),
    'inspect everything raw': () => inspect(value, { ...everything, showHidden: true, customInspect: false }),
    JSON: () => JSON.stringify(value),
    'JSON of own names': () => JSON.stringify(value, Object.getOwnPropertyNames(value)),
  };
  return Object.entries(ways).map(([name, render]) => `--- ${name}\n${attempt(render)}`);
}

/** What it returns, as text, or what it throws: an error in a rendering is read by people too. */
function attempt(render: () => unknown): string {
  try {
    return String(render());
  } catch (thrown) {
    return `threw ${inspect(thrown, { depth: Infinity, showHidden: true })}`;
  }
}

/** Visits everything that can be reached: one line for each value that is no object, and all errors on the way. */
function walk(root: unknown): { lines: string[]; errors: object[] } {
  const lines: string[] = [];
  const errors: object[] = [];
  const seen = new Set<object>();
  const queue: [path: string, value: unknown][] = [['error', root]];
  // An array grows while it is iterated, so everything that is pushed gets its turn.
  for (const [path, value] of queue) {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      lines.push(`${path} = ${String(value)}`);
      continue;
    }
    if (seen.has(value)) continue;
    seen.add(value);
    if (seen.size > MAX_OBJECTS)
      throw new Error(`${path}: more than ${MAX_OBJECTS} objects can be reached from the error.`);
    const bytes = asBytes(value);
    if (bytes !== undefined) {
      lines.push(`${path} = ${bytes.toString('utf8')}`);
      continue;
    }
    if (isErrorLike(value)) errors.push(value);
    for (const entry of entriesOf(value, path)) queue.push(entry);
    for (const property of propertiesOf(value, path)) queue.push(property);
  }
  return { lines, errors };
}

function isErrorLike(value: object): boolean {
  return types.isNativeError(value) || typeof read(value, 'stack', '')[1] === 'string';
}

function asBytes(value: object): Buffer | undefined {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return types.isAnyArrayBuffer(value) ? Buffer.from(value) : undefined;
}

function entriesOf(value: object, path: string): [string, unknown][] {
  if (types.isSet(value)) return [...value].map((member, index) => [`${path}.member(${index})`, member]);
  // `instanceof` throws on a revoked proxy.
  if (types.isProxy(value)) return [];
  if (types.isMap(value) || value instanceof Headers || value instanceof URLSearchParams) {
    return [...(value as Iterable<[unknown, unknown]>)].flatMap(([key, member], index) => [
      [`${path}.key(${index})`, key],
      [`${path}.get(${typeof key === 'string' ? JSON.stringify(key) : index})`, member],
    ]);
  }
  return [];
}

/** Own properties of every kind, and the getters of the classes above. */
function propertiesOf(value: object, path: string): [string, unknown][] {
  const found: [string, unknown][] = [];
  try {
    for (let owner: object | null = value; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
      for (const key of Reflect.ownKeys(owner)) {
        if (key === '__proto__' || (typeof value === 'function' && key === 'prototype')) continue;
        const isGetter = Reflect.getOwnPropertyDescriptor(owner, key)?.get !== undefined;
        if (owner !== value && !isGetter) continue;
        found.push(read(value, key, `${path}${typeof key === 'symbol' ? `[${String(key)}]` : `.${key}`}`));
      }
    }
  } catch (thrown) {
    // Only a proxy can refuse these questions. What it says then is all there is to see.
    found.push([`${path} (thrown)`, thrown]);
  }
  return found;
}

function read(value: object, key: PropertyKey, path: string): [string, unknown] {
  try {
    return [path, Reflect.get(value, key)];
  } catch (thrown) {
    return [`${path} (thrown)`, thrown];
  }
}
