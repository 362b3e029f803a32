import { afterAll, afterEach, expect, it } from '@jest/globals';
import { ConfigService, registerAs } from '@nestjs/config';
import { ConfigurationLoader } from '../../lib/config/configuration-loader.js';
import { ConfigurationStore } from '../../lib/config/configuration-store.js';
import { definitionOf } from '../../lib/config/namespaces/config-namespace.js';
import { resolveConfig } from '../../lib/config/resolve-config.js';
import type { SecretRead } from '../../lib/config/sources/read-secrets.js';
import { SecretReads } from '../../lib/config/sources/read-secrets.js';
import type { VaultConfigFactory, VaultConfigNamespace, VaultPrecedence, VaultSource } from '../../lib/index.js';
import { vaultConfig } from '../../lib/index.js';
import { createClient } from '../support/vault-client.js';

type Values = Record<string, unknown>;

const client = await createClient('http://127.0.0.1:9');
afterAll(() => client.close());
const environment = process.env;
afterEach(() => void (process.env = environment));

/** `n` is the place of a namespace, `o` an object in some secrets and a container of others. */
const PLACES = ['A', 'B', 'n.a', 'n.b', 'o.x', 'o.y'] as const;
const lastName = (place: string) => place.slice(place.indexOf('.') + 1);
const variableOf = (place: string) => place.toUpperCase().replace('.', '_');

/** What sets a place, in ascending precedence: its value, and the secret it is in, if it is in one. */
type Rank = { readonly values: Values; readonly secretPath: string; readonly replaces?: string };

function readOf(data: Values): SecretRead {
  const secret = { data, version: 1, createdTime: '', destroyed: false, customMetadata: {} };
  return { secret, readAt: new Date(), requestedAt: 0 };
}

/** An application with sources of every kind in any order, and what must become of it by docs/configuration.md. */
class Draw {
  #state: number;
  readonly #reads = new SecretReads();
  readonly #ranks: Rank[] = [];
  readonly #variables: Record<string, string> = {};
  readonly #ofVariable: Values = {};
  readonly #precedence: VaultPrecedence;
  readonly #sources: (VaultSource | VaultConfigNamespace<object>)[] = [];
  readonly #load: VaultConfigFactory[] = [];
  readonly #feature: VaultConfigNamespace<object> | undefined;

  constructor(seed: number) {
    this.#state = seed;
    this.#precedence = this.#pick(['vault', 'env']);
    this.#addVariables();
    const made = this.#values('n.', 'load');
    this.#load.push(registerAs('n', () => this.#named(made)));
    this.#ranks.push({ values: made, secretPath: '' });
    for (const secretPath of ['shared', 'shared/p', 'app', 'app/p'])
      this.#addSecret(secretPath, this.#pick(['flat', 'object']));
    const kinds = ['flat', 'object', 'as n', 'as o', 'map', 'nest'] as const;
    for (let index = 0; index < 4; index++) {
      const secretPath = `source-${index}`;
      this.#sources.push(this.#addSecret(secretPath, this.#pick(kinds)));
    }
    const namespace = vaultConfig('n', { secretPath: 'namespace' });
    this.#addSecret('namespace', 'as n');
    if (this.#random() < 0.5) this.#sources.push(namespace);
    else this.#feature = namespace;
  }

  async boot() {
    const feature = this.#feature && definitionOf(this.#feature);
    const config = {
      precedence: this.#precedence,
      load: this.#load,
      layout: { application: 'app', shared: 'shared', profiles: 'p' },
      sources: this.#sources,
    };
    process.env = this.#variables;
    const loader = new ConfigurationLoader(client, resolveConfig(config, this.#variables, feature && [feature]));
    const store = new ConfigurationStore(loader, await loader.assemble(this.#reads));
    const host = {};
    store.connect(host);
    const service = new ConfigService(host);
    return Object.fromEntries(
      PLACES.map((place) => {
        const { variable, secretPath = '' } = store.explain(place) ?? {};
        return [place, { value: service.get<unknown>(place), from: variable ?? secretPath }];
      }),
    );
  }

  /** Where several set a place, the last one wins; an object takes away what was in its place. */
  expected() {
    return Object.fromEntries(PLACES.map((place) => [place, this.#winnerOf(place)]));
  }

  #winnerOf(place: string): { value: unknown; from: string } {
    const isFlat = !place.includes('.');
    const variable =
      place in this.#ofVariable ? { value: this.#ofVariable[place], from: variableOf(place) } : undefined;
    // Of a variable that is neither a reference nor hides anything, which is ConfigService's own, nothing is told.
    const isPlain = variable?.value === this.#variables[variableOf(place)];
    let winner = isFlat && variable && isPlain ? { ...variable, from: '' } : isFlat ? variable : undefined;
    let isSet = false;
    for (const { values, secretPath, replaces } of this.#ranks) {
      if (replaces !== undefined && place.startsWith(replaces)) winner = undefined;
      if (!(place in values)) continue;
      winner = { value: values[place], from: secretPath };
      isSet = true;
    }
    const gives = isFlat ? isSet || !isPlain : winner !== undefined && winner.from !== '';
    if (this.#precedence === 'env' && variable && gives) return variable;
    return winner ?? { value: undefined, from: '' };
  }

  #addVariables(): void {
    this.#reads.set({ mountPath: 'secret', secretPath: 'refs' }, readOf({ key: 'referred to' }));
    for (const place of PLACES.filter(() => this.#random() < 0.3)) {
      const [text, value] = this.#pick([
        ['plain', 'plain'],
        ['vault:secret/refs#key', 'referred to'],
      ] as const);
      this.#variables[variableOf(place)] = text;
      this.#ofVariable[place] = value;
    }
  }

  /** Writes a secret whose keys lead to some of the places, and gives the source that does so. */
  #addSecret(secretPath: string, kind: 'flat' | 'object' | 'as n' | 'as o' | 'map' | 'nest'): VaultSource {
    const prefix = { flat: '', object: 'o.', 'as n': 'n.', 'as o': 'o.', map: '', nest: '' }[kind];
    const found = Object.entries(this.#values(prefix, secretPath));
    const chosen = kind === 'flat' ? found.filter(([place]) => !place.includes('.')) : found;
    const values = Object.fromEntries(chosen);
    const renamed = (name: (place: string) => string) =>
      Object.fromEntries(chosen.map(([place, value]) => [name(place), value]));
    const [data, source]: [Values, object] = {
      flat: (): [Values, object] => [values, {}],
      object: (): [Values, object] => [{ o: this.#named(values) }, {}],
      'as n': (): [Values, object] => [this.#named(values), { as: 'n' }],
      'as o': (): [Values, object] => [this.#named(values), { as: 'o' }],
      map: (): [Values, object] => [renamed((place) => `M ${place}`), { map: Object.fromEntries(chosen.map(([place]) => [`M ${place}`, place])) }], // prettier-ignore
      nest: (): [Values, object] => [renamed((place) => place.replace('.', '__')), { nest: '__' }],
    }[kind]();
    this.#reads.set({ mountPath: 'secret', secretPath }, readOf(data));
    this.#ranks.push({ values, secretPath, ...(kind === 'object' && { replaces: 'o.' }) });
    return { secretPath, ...source };
  }

  #values(prefix: string, text: string): Values {
    const places = PLACES.filter((place) => place.startsWith(prefix) && this.#random() < 0.5);
    return Object.fromEntries(places.map((place) => [place, `${text} ${place}`]));
  }

  #named(values: Values): Values {
    return Object.fromEntries(Object.entries(values).map(([place, value]) => [lastName(place), value]));
  }

  /** A small generator (mulberry32): the same seed draws the same on every machine. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

it('five hundred applications have the values that the list of precedence says, and explain names who has them', async () => {
  for (let seed = 1; seed <= 500; seed++) {
    const draw = new Draw(seed);
    expect({ seed, ...(await draw.boot()) }).toEqual({ seed, ...draw.expected() });
  }
});
