import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestApplicationContext, Type } from '@nestjs/common';
import { Inject, Injectable, Module } from '@nestjs/common';
import { ConfigService, registerAs } from '@nestjs/config';
import { LazyModuleLoader } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import type { VaultConfigOptions, VaultConfigurationError } from '../../lib/index.js';
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

describe('a feature that cannot be provided', () => {
  const fits = z.object({});
  const missing = z.object({ missing: z.string() });
  let vault: string;
  const created: string[] = [];
  /** A module with providers and a controller of its own, none of which may be created when a namespace fails. */
  const moduleWith = (label: string, imports: Imports): Type => {
    @Injectable()
    class Free {
      constructor() {
        created.push(`${label} provider`);
      }
    }
    @Injectable()
    class Consumer {
      constructor(free: Free, config: ConfigService) {
        created.push(`${label} consumer ${typeof free} ${typeof config}`);
      }
    }
    const made = { provide: `${label} factory`, useFactory: () => created.push(`${label} factory`) };
    @Module({ imports, providers: [Free, Consumer, made] })
    class Plain {
      constructor() {
        created.push(`${label} module`);
      }
    }
    return Plain;
  };
  const feature = (secretPath: string, schema: z.ZodType<object> = fits) => {
    const namespace = vaultConfig(fresh(), { secretPath, schema, vault });
    return { namespace, module: moduleWith(secretPath, [VaultModule.forFeature(namespace)]) };
  };
  const root = (config: VaultConfigOptions = {}) =>
    VaultModule.forRoot(
      {
        endpoint: bench.front.endpoint,
        auth: { method: 'userpass', username: 'features', password: 'pw-of-features' },
        config,
      },
      { name: vault },
    );
  const problemsOf = async (boot: Promise<INestApplicationContext>) => {
    const error: unknown = await boot.then(
      (app) => {
        open.push(app);
        throw new Error('The application booted.');
      },
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'VAULT_CONFIGURATION' });
    return (error as VaultConfigurationError).errors.map(({ message }) => message);
  };
  const aliveTokens = () => bench.accessors().then(({ length }) => length);

  beforeAll(async () => {
    await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await bench.server.request('PUT', 'sys/policies/acl/features', { policy: 'path "secret/*" { capabilities = ["read"] }' }); // prettier-ignore
    await bench.server.request('POST', 'auth/userpass/users/features', { password: 'pw-of-features', token_policies: ['features'] }); // prettier-ignore
  });
  beforeEach(() => {
    vault = `failing-${++names}`;
    created.length = 0;
  });

  it.each<[string, (features: Type[], vault: DynamicModule) => Imports]>([
    ['before', (features, vault) => [...features, vault]],
    ['after', (features, vault) => [vault, ...features]],
    ['before and after', (features, vault) => [...features.slice(1), vault, ...features.slice(0, 1)]],
    ['deep below', (features, vault) => [moduleWith('outer', [moduleWith('inner', features)]), vault]],
  ])('%s the VaultModule stops the boot with all others before any provider exists', async (_, order) => {
    const features = [feature('gone-a'), feature('one'), feature('two', missing), feature('gone-b')];
    const before = await aliveTokens();
    const imports = [moduleWith('first', []), ...order(features.map(({ module }) => module), root()), moduleWith('last', [])]; // prettier-ignore
    const problems = await problemsOf(bootApplication({ module: class AppModule {}, imports }));
    expect(problems).toHaveLength(3);
    expect(problems.join()).toMatch(/gone-a.*missing.*gone-b/s);
    expect(created).toEqual([]);
    expect(await aliveTokens()).toBe(before);
  });

  it('is in one error with the sources that fail, and a feature of another application is not', async () => {
    const mine = feature('gone-soon');
    feature('gone-elsewhere');
    const sources = ['gone-source', vaultConfig(fresh(), { secretPath: 'app', schema: missing })];
    const imports = [mine.module, root({ sources })];
    const problems = await problemsOf(bootApplication({ module: class AppModule {}, imports }));
    expect(problems).toHaveLength(3);
    expect(problems.join()).toMatch(/gone-source.*missing.*gone-soon/s);
    expect(created).toEqual([]);
    // Nothing of it is left for the next boot.
    await bench.server.seed({ 'secret/gone-source': { x: 1 }, 'secret/gone-soon': { x: 1 } });
    open.push(await bootApplication({ module: class AppModule {}, imports: [mine.module, root({ sources: ['gone-source'] })] })); // prettier-ignore
    expect(created).not.toEqual([]);
  });

  it('is in one error with those of other VaultModules, whose sessions end too', async () => {
    const before = await aliveTokens();
    const [one, first] = [feature('gone-a'), root()];
    vault = `failing-${++names}`;
    const [two, second] = [feature('two', missing), root()];
    vault = `failing-${++names}`;
    const third = root();
    const imports = [one.module, first, second, two.module, third, moduleWith('last', [])];
    const problems = await problemsOf(bootApplication({ module: class AppModule {}, imports }));
    expect(problems.join()).toMatch(/gone-a.*missing|missing.*gone-a/s);
    expect(problems).toHaveLength(2);
    expect(created).toEqual([]);
    expect(await aliveTokens()).toBe(before);
  });

  it('that only another application has stops no boot', async () => {
    const [mine, broken] = [feature('one'), feature('gone-elsewhere')];
    const shared = root();
    const boots = [mine, broken, mine].map(({ module }) =>
      bootApplication({ module: class AppModule {}, imports: [module, shared] }),
    );
    const results = await Promise.allSettled(boots);
    open.push(...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(open.map((app) => app.get<object>(mine.namespace.KEY, { strict: false }))).toEqual([{ word: 'one' }, { word: 'one' }].map(() => ({}))); // prettier-ignore
  });

  it('with its token overridden in a test stops no boot', async () => {
    const { namespace, module } = feature('gone-a');
    const testing = await Test.createTestingModule({ imports: [module, root()] })
      .overrideProvider(namespace.KEY)
      .useValue({ word: 'test' })
      .compile();
    open.push(testing);
    expect(testing.get(namespace.KEY, { strict: false })).toEqual({ word: 'test' });
  });

  it('with another one that is overridden in a test stops the boot alone', async () => {
    const [one, other] = [feature('gone-a'), feature('gone-b')];
    const testing = Test.createTestingModule({ imports: [one.module, other.module, root()] })
      .overrideProvider(one.namespace.KEY)
      .useValue({ word: 'test' })
      .compile();
    expect(await problemsOf(testing)).toEqual([expect.stringContaining('gone-b')]);
    expect(created).toEqual([]);
  });
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
    expect(vault.explain(`feature${names}.word`)).toMatchObject({ secretPath: 'one', overrides: [] });
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
        new RegExp(`Two configuration namespaces are called "${name}": one of ${secrets.join(', and one of ')}`),
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
