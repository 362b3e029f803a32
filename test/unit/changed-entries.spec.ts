import { describe, expect, it } from '@jest/globals';
import { assembleLayer } from '../../lib/config/assembly/assemble.js';
import { ConfigTree } from '../../lib/config/config-tree.js';
import { describeChange } from '../../lib/config/refresh/changes.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import type { SecretAddress, SecretRead } from '../../lib/config/sources/read-secrets.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import { VaultNotFoundError, type VaultConfigOptions } from '../../lib/index.js';

const CONFIG: VaultConfigOptions = {
  sources: ['low', { secretPath: 'high', optional: true }, { secretPath: 'high', namespace: 'team', as: 'team' }],
};

/** A secret as it is at some time: its version and its keys. */
type Secret = readonly [version: number, data: Record<string, string>, createdTime?: string];

function readsOf(secrets: Record<string, Secret>): SecretReads {
  return new SecretReads(
    ['low', 'high', 'team/high'].map((name): [SecretAddress, SecretRead] => {
      const [secretPath = '', namespace] = name.split('/').reverse();
      const address = { ...(namespace && { namespace }), mountPath: 'secret', secretPath };
      const [version = 0, data = {}, createdTime = `time of ${version}`] = secrets[name] ?? [];
      if (version === 0) return [address, { error: new VaultNotFoundError('absent') }];
      const secret = { version, data, createdTime, destroyed: false, customMetadata: {} };
      return [address, { secret, readAt: new Date(), requestedAt: 0 }];
    }),
  );
}

function treeOf(reads: SecretReads): ConfigTree {
  const { layers } = resolveConfig(CONFIG, {});
  return ConfigTree.of(layers.flatMap((layer) => assembleLayer(layer, () => ({ reads }), '').leaves));
}

function changeOf(before: Record<string, Secret>, after: Record<string, Secret>) {
  const [old, current] = [readsOf(before), readsOf(after)];
  const differences = treeOf(old).diff(treeOf(current));
  const { keys, secrets } = describeChange(differences, old, current);
  return { keys, secrets };
}

const low = { mountPath: 'secret', secretPath: 'low' };
const high = { mountPath: 'secret', secretPath: 'high' };

describe('what is told of a change', () => {
  it.each<[string, Record<string, Secret>, Record<string, Secret>, string[], object[]]>([
    ['a new value', { low: [1, { A: '1' }] }, { low: [2, { A: '2' }] }, ['A'], [{ ...low, from: 1, to: 2 }]],
    ['the same value', { low: [1, { A: '1' }] }, { low: [2, { A: '1' }] }, [], []],
    [
      'a key that is gone',
      { low: [1, { A: '1', B: '1' }] },
      { low: [2, { A: '1' }] },
      ['B'],
      [{ ...low, from: 1, to: 2 }],
    ],
    ['a secret that is gone', { low: [3, { A: '1' }] }, {}, ['A'], [{ ...low, from: 3 }]],
    ['a secret that has come', {}, { low: [1, { A: '1' }] }, ['A'], [{ ...low, to: 1 }]],
    [
      'one written anew after it was deleted with its history',
      { low: [1, { A: '1' }, 'then'] },
      { low: [1, { A: '2' }, 'now'] },
      ['A'],
      [{ ...low, from: 1, to: 1 }],
    ],
    [
      'a secret whose value another one had hidden',
      { low: [7, { A: 'low' }], high: [3, { A: 'high' }] },
      { low: [7, { A: 'low' }] },
      ['A'],
      [{ ...high, from: 3 }],
    ],
    [
      'one that hides another from now on',
      { low: [7, { A: 'low' }] },
      { low: [7, { A: 'low' }], high: [3, { A: 'high' }] },
      ['A'],
      [{ ...high, to: 3 }],
    ],
    [
      'secrets of one name in two namespaces of the server',
      { high: [1, { A: '1' }], 'team/high': [5, { A: '1' }] },
      { high: [2, { A: '2' }], 'team/high': [6, { A: '2' }] },
      ['A', 'team.A'],
      [
        { ...high, from: 1, to: 2 },
        { namespace: 'team', ...high, from: 5, to: 6 },
      ],
    ],
  ])('%s', (_, before, after, keys, secrets) => {
    expect(changeOf(before, after)).toEqual({ keys, secrets });
  });
});
