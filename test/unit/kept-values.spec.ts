import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConfigTree } from '../../lib/config/config-tree.js';
import { NO_SECRET } from '../../lib/config/origins.js';
import { leavesOf } from '../../lib/config/plain.js';
import { keepOthers } from '../../lib/config/refresh/kept-values.js';

const name = fc.constantFrom('a', 'b', 'c', 'ab');
const text = fc.constantFrom('one', 'two', 'three', 4, null, true);
const object = fc.dictionary(name, fc.oneof(text, fc.dictionary(name, text, { minKeys: 1 })), { minKeys: 1 });
const path = fc.array(name, { minLength: 1, maxLength: 3 });
const configuration = fc
  .array(fc.record({ path, value: fc.oneof(text, object, fc.constant(['list'])) }), { maxLength: 8 })
  .map((list) => ConfigTree.of(list.map((leaf) => ({ ...leaf, origin: NO_SECRET }))));
const keys = fc.array(
  path.map((names) => names.join('.')),
  { minLength: 1, maxLength: 4 },
);

/** Every value by its name. */
function named(tree: ConfigTree): Map<string, unknown> {
  return new Map([...leavesOf({ path: [], value: tree.toObject() })].map((leaf) => [leaf.path.join('.'), leaf.value]));
}

const around = (key: string) =>
  key
    .split('.')
    .map((_, index, names) => names.slice(0, index).join('.'))
    .slice(1);

it('listed keys have the new values and all others the old ones, whatever becomes of the configuration', () => {
  fc.assert(
    fc.property(configuration, configuration, keys, (before, now, listed) => {
      const given = (tree: ConfigTree) => ({ tree, referenceVariables: new ConfigTree(), files: [] });
      const isListed = (key: string) => listed.some((other) => `${key}.`.startsWith(`${other}.`));
      const first = keepOthers(listed, given(before), undefined, false);
      expect(first.tree.toObject()).toEqual(before.toObject());

      const kept = keepOthers(listed, given(now), first, false);

      const [old, fresh, found] = [before, now, kept.tree].map(named) as [Map<string, unknown>, Map<string, unknown>, Map<string, unknown>]; // prettier-ignore
      // What a kept text, number or list stands in the way of cannot be there.
      const hasPlace = (key: string) => !around(key).some((other) => old.has(other) && !isListed(other));
      for (const key of new Set([...old.keys(), ...fresh.keys(), ...found.keys()])) {
        const expected = !isListed(key) ? old : hasPlace(key) ? fresh : undefined;
        expect([key, found.has(key), found.get(key)]).toEqual([key, expected?.has(key) ?? false, expected?.get(key)]);
      }
      // A further round with the same values changes nothing.
      const again = keepOthers(listed, given(now), kept, false);
      expect(named(again.tree)).toEqual(found);
      expect([...again.pending.keys()].sort()).toEqual([...kept.pending.keys()].sort());
    }),
    { numRuns: 500 },
  );
});
