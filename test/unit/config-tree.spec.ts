import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ConfigLeaf } from '../../lib/config/config-tree.js';
import { ConfigTree } from '../../lib/config/config-tree.js';
import type { Origin } from '../../lib/config/origins.js';
import { NO_SECRET } from '../../lib/config/origins.js';

const from = (secretPath: string): Origin => ({ ...NO_SECRET, mountPath: 'secret', secretPath });
const leaf = (key: string, value: unknown, secretPath = 's'): ConfigLeaf => ({
  path: key.split('/'),
  value,
  origin: from(secretPath),
});
const overrides = (tree: ConfigTree, key: string) =>
  tree.leaf(key.split('/'))?.origin.overrides.map(({ secretPath }) => secretPath);

describe('set', () => {
  it.each<[string, ConfigLeaf[], object]>([
    ['replaces a value in the same place', [leaf('a', 1), leaf('a', { b: 2 })], { a: { b: 2 } }],
    ['merges a value into an object around it', [leaf('a', { b: 1, c: 2 }), leaf('a/b', 3)], { a: { b: 3, c: 2 } }],
    ['overrides a text around it', [leaf('a', 'text'), leaf('a/b', 3)], { a: { b: 3 } }],
    ['overrides a list around it', [leaf('a', [1]), leaf('a/b', 3)], { a: { b: 3 } }],
    ['overrides a container', [leaf('a/b/c', 1), leaf('a/d', 2), leaf('a', { e: 3 })], { a: { e: 3 } }],
    ['keeps a name with dots apart from a path', [leaf('a.b', 1), leaf('a/b', 2)], { 'a.b': 1, a: { b: 2 } }],
    ['has a value under a name with "__proto__" in it', [leaf('x__proto__', 1)], { x__proto__: 1 }],
  ])('%s', (_, leaves, expected) => {
    expect(ConfigTree.of(leaves).toObject()).toEqual(expected);
  });

  it('records what a value overrides, nearest first, also when a value around it was set in between', () => {
    const tree = ConfigTree.of([leaf('a', 1, 'one'), leaf('a', 2, 'two'), leaf('a', 3, 'three')]);
    expect(overrides(tree, 'a')).toEqual(['two', 'one']);
    const whole = ConfigTree.of([leaf('a/b', 1, 'one'), leaf('a/c', 1, 'two'), leaf('a', 3, 'three')]);
    expect(new Set(overrides(whole, 'a'))).toEqual(new Set(['one', 'two']));
    const again = ConfigTree.of([leaf('a/b', 1, 'one'), leaf('a', 'text', 'two'), leaf('a/b', 3, 'three')]);
    expect(overrides(again, 'a/b')).toEqual(['one']);
  });
});

describe('resolve', () => {
  const tree = ConfigTree.of([leaf('a.b', 1), leaf('c/d', { e: 2 }), leaf('f/g.h', 3)]);

  it.each([
    ['a.b', ['a.b'], []],
    ['c.d', ['c', 'd'], []],
    ['c.d.e', ['c', 'd'], ['e']],
    ['f.g.h', ['f', 'g.h'], []],
  ])('finds %s', (key, path, inside) => {
    const found = tree.resolve(key);
    expect([found?.leaf.path, found?.inside]).toEqual([path, inside]);
  });

  it.each(['a', 'c', 'c.d.x', 'x'])('does not find %s', (key) => {
    expect(tree.resolve(key)).toBeUndefined();
  });
});

const name = fc.constantFrom('a', 'b', 'c', 'a.b');
const value = fc.oneof(
  fc.constantFrom<unknown>('text', 1, null, ['list']),
  fc.dictionary(name, fc.constantFrom<unknown>(1, 'x'), { minKeys: 1 }),
);
const leaves = fc.array(
  fc.record({ path: fc.array(name, { minLength: 1, maxLength: 3 }), value, origin: fc.constant(NO_SECRET) }),
  { maxLength: 10 },
);

/** The rules in their simplest form: a value replaces what is in its place, and anything but an object on the way to it. */
function simpleMerge(list: readonly ConfigLeaf[]): object {
  const values: Record<string, unknown> = {};
  for (const { path, value: given } of list) {
    let at = values;
    for (const part of path.slice(0, -1)) {
      const inner = at[part];
      const isObject = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
      at = (isObject ? inner : (at[part] = {})) as Record<string, unknown>;
    }
    at[path[path.length - 1] as string] = structuredClone(given);
  }
  return values;
}

it('any values have the places that the rules give them', () => {
  fc.assert(
    fc.property(leaves, (list) => {
      const tree = ConfigTree.of(list);
      expect(tree.toObject()).toEqual(simpleMerge(list));
      for (const one of tree.leaves()) {
        expect(tree.leaf(one.path)).toBe(one);
        expect(tree.leafOn([...one.path, 'inside'])).toBe(one);
        expect(one.path.every((_, index) => index === 0 || tree.hasContainer(one.path.slice(0, index)))).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

it('a difference of two trees names exactly the values that differ, and none to itself', () => {
  fc.assert(
    fc.property(leaves, leaves, (one, other) => {
      const [before, after] = [ConfigTree.of(one), ConfigTree.of(other)];
      expect(before.diff(ConfigTree.of(one))).toEqual([]);
      const differences = before.diff(after);
      const removed = new Set(differences.filter((found) => !found.after).map(({ path }) => JSON.stringify(path)));
      const kept = [...before.leaves()].filter(({ path }) => !removed.has(JSON.stringify(path)));
      const applied = ConfigTree.of([...kept, ...differences.flatMap((found) => found.after ?? [])]);
      expect(applied.toObject()).toEqual(after.toObject());
    }),
    { numRuns: 500 },
  );
});
