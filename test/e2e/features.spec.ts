import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestApplicationContext, Type } from '@nestjs/common';
import { Inject, Injectable, Module } from '@nestjs/common';
import { ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { z } from 'zod';
import type { VaultConfigOptions } from '../../lib/index.js';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication, gate } from '../support/boot-application.js';

let bench: AuthBench;
const open: INestApplicationContext[] = [];
let names = 0;
/** A name that no other test has: what `forFeature` has noted stays noted. */
const fresh = () => `feature${++names}`;

beforeAll(async () => {
  bench = await AuthBench.start();
  await bench.server.seed({
    'secret/app': { A: 1, database: 'a text' },
    'secret/one': { word: 'one' },
    'secret/two': { word: 'two' },
    'secret/inner': { b: 'a text', word: 'outer' },
  });
});
afterAll(() => bench.stop());
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  await bench.reset();
});

type Imports = NonNullable<DynamicModule['imports']>;

async function start(imports: Imports, config: VaultConfigOptions = {}): Promise<INestApplicationContext> {
  const vault = VaultModule.forRoot({
    endpoint: bench.front.endpoint,
    auth: { method: 'token', token: bench.server.rootToken },
    config,
  });
  const app = await bootApplication({ module: class AppModule {}, imports: [...imports, vault] });
  open.push(app);
  return app;
}

const reads = (path: string) => bench.sent(`/secret/data/${path}`).length;
const valueOf = (app: INestApplicationContext, key: string) =>
  app.get(ConfigService, { strict: false }).get<unknown>(key);

it('several features that fail are told of in one error, and those of other applications are not', async () => {
  const vault = 'several-features';
  const feature = (secretPath: string, schema: z.ZodType<object> = z.object({})) => {
    @Module({ imports: [VaultModule.forFeature(vaultConfig(fresh(), { secretPath, schema, vault }))] })
    class Feature {}
    return Feature;
  };
  const imports = [
    feature('gone-a'),
    feature('one'),
    feature('gone-b'),
    feature('two', z.object({ missing: z.string() })),
  ];
  feature('gone-elsewhere');
  const auth = { method: 'token', token: bench.server.rootToken } as const;
  const root = VaultModule.forRoot({ endpoint: bench.front.endpoint, auth }, { name: vault });
  await expect(bootApplication({ module: class AppModule {}, imports: [...imports, root] })).rejects.toThrow(
    /\(3 problems\):\n.*1\. .*"gone-a".*\n.*2\. .*"gone-b".*\n.*3\. .*\.missing" invalid_type/,
  );
});

describe('two modules loaded at once that bring the same namespace', () => {
  const twice = (namespace: Parameters<typeof VaultModule.forFeature>[0]) => {
    @Module({ imports: [VaultModule.forFeature(namespace)] })
    class First {}
    @Module({ imports: [VaultModule.forFeature(namespace)] })
    class Second {}
    return [First, Second];
  };
  const load = (app: INestApplicationContext, modules: ReturnType<typeof twice>, key: string) =>
    Promise.all(
      modules.map(async (module) => {
        const loaded = await app.get(LazyModuleLoader).load(() => module);
        return loaded.get<object>(key, { strict: false });
      }),
    );

  it('share one read, one layer and one change', async () => {
    const app = await start([]);
    const vault = app.get(VaultService);
    const changes: (readonly string[])[] = [];
    vault.changes$.subscribe(({ keys }) => changes.push(keys));
    const late = vaultConfig(fresh(), { secretPath: 'one' });
    const [first, second] = await load(app, twice(late), late.KEY);
    expect(first).toEqual({ word: 'one' });
    expect(second).toBe(first);
    expect(reads('one')).toBe(1);
    expect(changes).toEqual([[`feature${names}.word`]]);
    // A second layer would show from the next refresh on: as a value that hides itself.
    await bench.server.seed({ 'secret/one': { word: 'one' } });
    await vault.refresh();
    expect(vault.explain(`feature${names}.word`)).toMatchObject({ secretPath: 'one', hides: [] });
  });

  it('share a failure too, and the next attempt is a new one', async () => {
    const app = await start([]);
    const late = vaultConfig(fresh(), { secretPath: `absent-${names}` });
    const failed = await Promise.allSettled(twice(late).map((module) => app.get(LazyModuleLoader).load(() => module)));
    for (const result of failed) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'VAULT_CONFIGURATION' } });
    }
    expect(reads(`absent-${names}`)).toBe(1);
    await bench.server.seed({ [`secret/absent-${names}`]: { word: 'there' } });
    const [first] = await load(app, twice(late), late.KEY);
    expect(first).toEqual({ word: 'there' });
  });

  it('and another one that is put together meanwhile keep both', async () => {
    const app = await start([]);
    const [begun, added] = [gate(), gate()];
    const schema = z.object({ word: z.string() }).refine(async () => {
      begun.open();
      await added.opened;
      return true;
    });
    const slow = vaultConfig(fresh(), { secretPath: 'one', schema });
    const loading = load(app, twice(slow), slow.KEY);
    await begun.opened;
    const fast = vaultConfig<{ word: string }>(fresh(), { secretPath: 'two' });
    await load(app, twice(fast), fast.KEY);
    added.open();
    await loading;
    const values = [slow(), fast()];
    const words = () => values.map(({ word }) => word);
    expect(words()).toEqual(['one', 'two']);
    await app.get(VaultService).refresh();
    expect(words()).toEqual(['one', 'two']);
  });
});

describe('forFeature', () => {
  it.each<[string, unknown]>([
    ['a factory of registerAs', registerAs('database', () => ({ password: 'x' }))],
    ['a promise of a namespace', Promise.resolve(vaultConfig('database', { secretPath: 'x' }))],
    ['a list of namespaces', [vaultConfig('database', { secretPath: 'x' })]],
    ['a name', 'database'],
    ['nothing', undefined],
    ['null', null],
    ['a class', class Database {}],
    ['an object that imitates one', { KEY: 'CONFIGURATION(database)', asProvider: () => ({}) }],
  ])('refuses %s, and notes nothing of that call', async (_, given) => {
    const good = vaultConfig(fresh(), { secretPath: `never-${names}` });
    expect(() => VaultModule.forFeature(good, given as never)).toThrow(
      expect.objectContaining({ code: 'VAULT_INVALID_OPTION', message: expect.stringContaining('vaultConfig()') as unknown }), // prettier-ignore
    );
    await start([]);
    expect(reads(`never-${names}`)).toBe(0);
  });

  it('takes none, and the same one twice, in modules that are imported twice', async () => {
    const namespace = vaultConfig<{ word: string }>(fresh(), { secretPath: 'one' });
    @Injectable()
    class Consumer {
      readonly seen: string;
      constructor(@Inject(namespace.KEY) readonly values: { word: string }) {
        this.seen = values.word;
      }
    }
    @Module({ imports: [VaultModule.forFeature(namespace, namespace), VaultModule.forFeature()], providers: [Consumer], exports: [Consumer] }) // prettier-ignore
    class Inner {}
    @Module({ imports: [Inner, VaultModule.forFeature(namespace)], providers: [Consumer] })
    class Outer {}
    const app = await start([Inner, Outer, Inner]);
    const [inner, outer] = [app.select(Inner).get(Consumer), app.select(Outer).get(Consumer)];
    expect([inner.seen, outer.seen]).toEqual(['one', 'one']);
    expect(inner.values).toBe(outer.values);
    expect(reads('one')).toBe(1);
  });

  it.each(['a.b', 'toString', 'hasOwnProperty', 'a b', '💥', 'length', '0'])('takes the name %j', async (name) => {
    const namespace = vaultConfig(name, { secretPath: 'one' });
    @Module({ imports: [VaultModule.forFeature(namespace)] })
    class Feature {}
    const app = await start([Feature]);
    expect(app.get(namespace.KEY, { strict: false })).toEqual({ word: 'one' });
    expect(valueOf(app, `${name}.word`)).toBe('one');
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it.each(['__proto__', 'a.__proto__.b', 'constructor', 'prototype', '.a', 'a.', '_PROCESS_ENV_VALIDATED'])(
    'never gets a namespace called %j',
    (name) => {
      expect(() => vaultConfig(name, { secretPath: 'one' })).toThrow(/no configuration key may have/);
    },
  );
});

describe('two namespaces of one name', () => {
  const of = (name: string, secretPath: string) => vaultConfig(name, { secretPath });
  const featureOf = (namespace: Parameters<typeof VaultModule.forFeature>[0]) =>
    class Feature {
      static module = { module: Feature, imports: [VaultModule.forFeature(namespace)] };
    }.module;
  const refusal = (name: string, ...secrets: string[]) =>
    expect.objectContaining({
      code: 'VAULT_INVALID_OPTION',
      message: expect.stringMatching(
        new RegExp(`Two namespaces are called "${name}": one of ${secrets.join(', and one of ')}`),
      ) as unknown,
    }) as unknown as Error;

  it('in features of one application are refused', async () => {
    const features = [of(fresh(), 'one'), of(`feature${names}`, 'two')].map(featureOf);
    await expect(start(features)).rejects.toEqual(refusal(`feature${names}`, '"one"', '"two"'));
  });

  it('in "sources" and in a feature are refused', async () => {
    const feature = featureOf(of(fresh(), 'one'));
    const sources = [of(`feature${names}`, 'two')];
    await expect(start([feature], { sources })).rejects.toEqual(refusal(`feature${names}`, '"one"', '"two"'));
  });

  it('in "sources" are refused before anything is read', async () => {
    const sources = [of('database', 'one'), vaultConfig('database', { sources: ['two', { secretPath: 'app' }] })];
    await expect(start([], { sources })).rejects.toEqual(refusal('database', '"two" and "app"', '"one"'));
    expect(bench.front.requests).toEqual([]);
  });

  it('in modules that are loaded later at once: the first keeps its place', async () => {
    const app = await start([]);
    const loaded = [of(fresh(), 'one'), of(`feature${names}`, 'two')].map((namespace) =>
      app.get(LazyModuleLoader).load(() => featureOf(namespace)),
    );
    const refused = (await Promise.allSettled(loaded)).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect((refused[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'VAULT_INVALID_OPTION' });
    expect(['one', 'two']).toContain(valueOf(app, `feature${names}.word`));
  });

  it('that are declared alike are one', async () => {
    const features = [of(fresh(), 'one'), of(`feature${names}`, 'one')].map(featureOf);
    expect(valueOf(await start(features), `feature${names}.word`)).toBe('one');
  });

  it('in applications that come one after the other do not meet', async () => {
    const first = of(fresh(), 'one');
    const one = await start([featureOf(first)]);
    const two = await start([featureOf(of(`feature${names}`, 'two'))]);
    expect([one, two].map((app) => valueOf(app, `feature${names}.word`))).toEqual(['one', 'two']);
  });
});

describe('a namespace of a feature', () => {
  it('hides a value of its name', async () => {
    const database = vaultConfig('database', { secretPath: 'one' });
    @Module({ imports: [VaultModule.forFeature(database)] })
    class Feature {}
    const app = await start([Feature], { sources: ['app'] });
    expect([valueOf(app, 'database'), valueOf(app, 'A')]).toEqual([{ word: 'one' }, 1]);
  });

  it('that a value of another one hides is refused, and only where it is used', async () => {
    const inner = vaultConfig(`${fresh()}.b`, { secretPath: 'two' });
    const outer = vaultConfig(`feature${names}`, { secretPath: 'inner' });
    const [Inner, Outer] = [inner, outer].map((namespace) => {
      @Module({ imports: [VaultModule.forFeature(namespace)] })
      class Feature {}
      return Feature;
    }) as [Type, Type];
    const message = new RegExp(`vaultConfig\\("feature${names}.b"\\) has no place: secret "inner" in mount "secret"`);
    expect((await start([Outer])).get(outer.KEY, { strict: false })).toEqual({ b: 'a text', word: 'outer' });
    await expect(start([Inner, Outer])).rejects.toThrow(message);
  });

  it('loaded later that would hide one in use is refused, and changes nothing', async () => {
    const inner = vaultConfig(`${fresh()}.b`, { secretPath: 'two' });
    @Module({ imports: [VaultModule.forFeature(inner)] })
    class Inner {}
    const app = await start([Inner]);
    const used = app.get<object>(inner.KEY, { strict: false });
    const outer = vaultConfig(`feature${names}`, { secretPath: 'inner' });
    @Module({ imports: [VaultModule.forFeature(outer)] })
    class Outer {}
    await expect(app.get(LazyModuleLoader).load(() => Outer)).rejects.toThrow('has no place');
    expect(used).toEqual({ word: 'two' });
    expect(valueOf(app, `feature${names}`)).toEqual({ b: { word: 'two' } });
    expect(await app.get(VaultService).refresh()).toEqual({ change: undefined, problems: [] });
  });

  it('is no business of "config.schema", at boot and later', async () => {
    const [early, late] = [vaultConfig(fresh(), { secretPath: 'one' }), vaultConfig(fresh(), { secretPath: 'one' })];
    const featureOf = (namespace: typeof early) => {
      @Module({ imports: [VaultModule.forFeature(namespace)] })
      class Feature {}
      return Feature;
    };
    const config = { sources: [{ secretPath: 'app', keys: ['A'] }], schema: z.strictObject({ A: z.number() }) };
    const app = await start([featureOf(early)], config);
    await app.get(LazyModuleLoader).load(() => featureOf(late));
    await bench.server.seed({ 'secret/one': { word: 'one', more: 1 } });
    expect((await app.get(VaultService).refresh()).problems).toEqual([]);
    for (const { KEY } of [early, late]) {
      expect(valueOf(app, /\((.*)\)/.exec(KEY)?.[1] ?? '')).toEqual({ word: 'one', more: 1 });
    }
    expect(valueOf(app, 'A')).toBe(1);
  });
});

it('a namespace in "sources" is there although "config.schema" says nothing about it', async () => {
  const [unmentioned, mentioned] = ['x.unmentioned', 'mentioned'].map((name) => vaultConfig(name, { secretPath: 'inner' })); // prettier-ignore
  const app = await start([], {
    sources: ['app', unmentioned, mentioned] as never,
    schema: z.object({ A: z.number(), mentioned: z.object({ word: z.string() }) }),
  });
  expect(valueOf(app, 'x.unmentioned')).toEqual({ b: 'a text', word: 'outer' });
  expect(valueOf(app, 'mentioned')).toEqual({ word: 'outer' });
  expect(valueOf(app, 'A')).toBe(1);
});
