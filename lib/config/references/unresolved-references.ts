import { isProxy } from 'node:util/types';
import type { KnownReferences } from './known-references.js';
import { hasReferenceForm } from './reference-syntax.js';

/** An object that is still to be looked through, and the way to it. */
interface Container {
  readonly object: object;
  readonly key: string;
  readonly around: Container | undefined;
}

/** Objects of other libraries may be in a configuration, with everything behind them; they come last. */
const MOST_LOOKED_AT = 200_000;

/**
 * Where in an object there are references as text, or what is left of known ones in a longer text, at any depth: instances
 * of classes are looked into as well. What is not simply stored is left alone, because a getter or a proxy may do anything.
 *
 * @param known references whose remains are looked for
 * @param accept whether a text may be what it is
 * @param skipped objects that are not looked into
 * @returns paths
 * @internal
 */
export function unresolvedReferences(
  root: object,
  known: KnownReferences,
  accept: (path: readonly string[], text: string) => boolean,
  skipped: readonly object[] = [],
): (readonly string[])[] {
  const found: (readonly string[])[] = [];
  const queue: Container[] = [{ object: root, key: '', around: undefined }];
  const seen = new Set<object>([root, ...skipped]);
  let left = MOST_LOOKED_AT;
  for (const container of queue) {
    for (const key of Object.keys(container.object)) {
      if (left-- === 0) return found;
      const value: unknown = Object.getOwnPropertyDescriptor(container.object, key)?.value;
      if (typeof value === 'string') {
        if (!hasReferenceForm(value) && !known.findAny(value)) continue;
        const path = pathTo(container, key);
        if (!accept(path, value)) found.push(path);
      } else if (typeof value === 'object' && value !== null && !seen.has(value) && isOpen(value)) {
        seen.add(value);
        queue.push({ object: value, key, around: container });
      }
    }
  }
  return found;
}

function isOpen(value: object): boolean {
  return !isProxy(value) && !ArrayBuffer.isView(value);
}

function pathTo(container: Container, key: string): string[] {
  const path = [key];
  for (let at = container; at.around; at = at.around) path.push(at.key);
  return path.reverse();
}
