// Checks lib/nest/nest-internals.ts, and nothing else of this package, against one workspace's Nest. Run inside one of the
// workspaces beside this file with the path of the compiled file: node ../nest-internals.mjs FILE
// The last line of stdout has the names of the checks that passed and what failed, as JSON.
import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const load = (file) => import(pathToFileURL(join(process.cwd(), file)));
const { common, core, config } = await load('packages.mjs');
const internals = await load(process.argv[2]);
const { Inject, Injectable, Module, Scope, UseGuards, Controller, Get } = common;
const { ConfigModule, ConfigService, registerAs } = config;
const { DiscoveryModule, DiscoveryService, ModulesContainer, NestFactory } = core;
const options = { logger: false, abortOnError: false };

const moduleOf = (name, metadata) => {
  const type = { [name]: class {} }[name];
  Module(metadata)(type);
  return type;
};
const boot = (...parts) => NestFactory.createApplicationContext(moduleOf('Root', ...parts), options);
const root = (more = {}) => ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, ...more });

/** A provider that runs `prepare` with the container of its application before any other provider exists. */
const early = (prepare) => internals.earliestProvider('early', (modules) => prepare(modules) ?? (() => 'early'));

const checks = {
  async 'the host and its loader'() {
    const owner = { values: { OWN: 1 } };
    const calls = [];
    const values = internals.configurationModule({
      key: 'own',
      owner: { provide: 'owner', useValue: owner },
      ownerToken: 'owner',
      connect: (host, given) => (
        calls.push('connect', given === owner),
        Object.assign(host, given.values),
        given.values
      ),
      loaded: (given) => calls.push('loaded', given === owner),
    });
    const Reader = moduleOf('Reader', { imports: [values], exports: [values] });
    const app = await boot({ imports: [Reader, root()] });
    assert.equal(app.get(ConfigService).get('OWN'), 1);
    assert.equal(app.get('owner', { strict: false }), owner);
    assert.deepEqual(calls, ['connect', true, 'loaded', true]);
    await app.close();
  },

  async 'providers of ConfigModule'() {
    const factory = registerAs('database.main', () => ({ url: 'made' }));
    const validate = (variables) => ({ ...variables, VALIDATED: 'yes' });
    const found = [];
    const provider = early((modules) => {
      const { factories, validated, host } = internals.configurationProviders(modules.values());
      const target = {};
      validated(target);
      found.push(
        factories.map((one) => one.factory),
        target[internals.VALIDATED_ENVIRONMENT].VALIDATED,
        host !== undefined,
      );
      internals.replaceInstance(factories[0].wrapper, (made) => ({ ...made, url: `${made.url} and replaced` }));
    });
    const app = await boot({ imports: [root({ load: [factory], validate })], providers: [provider] });
    assert.deepEqual(found, [[factory], 'yes', true]);
    assert.equal(app.get(factory.KEY).url, 'made and replaced');
    assert.deepEqual(internals.pathOfFactory(factory), ['database', 'main']);
    assert.deepEqual(
      internals.pathOfFactory(() => ({})),
      [],
    );
    await app.close();
  },

  async 'the container before any provider exists'() {
    const created = [];
    class First {
      constructor() {
        created.push('First');
      }
    }
    Injectable()(First);
    const states = [];
    const provider = early((modules) => {
      const values = internals.valueProviders(modules).filter(({ token }) => token === 'value');
      states.push(
        created.length,
        internals.isNew(modules),
        values.map(({ instance }) => instance),
      );
    });
    const app = await boot({ providers: [First, { provide: 'value', useValue: 7 }, provider] });
    assert.deepEqual(states, [0, true, [7]]);
    assert.equal(internals.isNew(app.get(ModulesContainer)), false);
    assert.equal(app.get('early'), 'early');
    assert.equal(Object.hasOwn(ModulesContainer.prototype, 'get'), false);
    await app.close();
  },

  async 'an application that is left nothing to create'() {
    const created = [];
    const Other = moduleOf('Other', { providers: [{ provide: 'other', useFactory: () => created.push('other') }] });
    const provider = early((modules) => {
      internals.keepModules(modules, (token) => token === 'early');
      return () => Promise.reject(new Error('rejected'));
    });
    const Own = moduleOf('Own', { providers: [provider] });
    await assert.rejects(boot({ imports: [Other, Own] }), /rejected/);
    assert.deepEqual(created, []);
  },

  async 'the first failure of a provider'() {
    const failed = [];
    const provider = early(
      (modules) => () => (internals.whenProviderFails(modules, () => failed.push('failed')), 'early'),
    );
    const broken = { provide: 'broken', inject: ['early'], useFactory: () => Promise.reject(new Error('broken')) };
    await assert.rejects(boot({ providers: [provider, broken] }), /broken/);
    await new Promise(setImmediate);
    assert.deepEqual(failed, ['failed']);
  },

  async 'hooks that run last'() {
    const order = [];
    const hooked = (name) => {
      const type = { [name]: class { onApplicationBootstrap() { order.push(name); } } }[name]; // prettier-ignore
      return Injectable()(type) ?? type;
    };
    const Late = moduleOf('Late', { providers: [hooked('late')] });
    const provider = early((modules) => internals.runLast(modules, Late));
    const app = await boot({ imports: [Late], providers: [hooked('root'), provider] });
    await app.init();
    assert.deepEqual(order, ['root', 'late']);
    await app.close();
  },

  async 'instances and injectables'() {
    class Plain {}
    class PerRequest {}
    class Transient {}
    class Holder {}
    class Guard {
      canActivate() {
        return true;
      }
    }
    class Routes {
      get() {}
    }
    Injectable()(Plain);
    Injectable({ scope: Scope.REQUEST })(PerRequest);
    Injectable({ scope: Scope.TRANSIENT })(Transient);
    Inject(Transient)(Holder, undefined, 0);
    Injectable()(Holder);
    Injectable()(Guard);
    Get()(Routes.prototype, 'get', Object.getOwnPropertyDescriptor(Routes.prototype, 'get'));
    UseGuards(Guard)(Routes);
    Controller()(Routes);
    const providers = [Plain, PerRequest, Transient, Holder, { provide: 'value', useValue: new Plain() }];
    const app = await boot({ imports: [DiscoveryModule], controllers: [Routes], providers });
    const wrappers = app.get(DiscoveryService).getProviders();
    const instances = (token) => wrappers.filter((one) => one.token === token).flatMap(internals.instancesOf);
    assert.deepEqual(
      instances(Plain).map((one) => one instanceof Plain),
      [true],
    );
    assert.deepEqual(
      instances('value').map((one) => one instanceof Plain),
      [true],
    );
    assert.deepEqual(instances(PerRequest), []);
    assert.ok(instances(Transient).some((one) => one instanceof Transient));
    const injectables = [...app.get(ModulesContainer).values()].flatMap(internals.injectablesOf);
    assert.ok(injectables.some(({ token, metatype }) => token === Guard || metatype === Guard));
    await app.close();
  },

  async 'listeners of ConfigService'() {
    const app = await boot({ imports: [root()] });
    const service = app.get(ConfigService);
    const heard = [];
    service.changes$.subscribe((change) => heard.push(change));
    const change = { path: 'a.b', oldValue: 1, newValue: 2 };
    internals.notifyConfigService(service, change);
    assert.deepEqual(heard, [change]);
    assert.equal(process.env['a.b'], undefined);
    await app.close();
  },

  'who is asked first, the environment or the values'() {
    const { version } = createRequire(join(process.cwd(), 'package.json'))('@nestjs/config/package.json');
    assert.equal(internals.asksEnvironmentFirst(), Number.parseInt(version) < 4);
  },

  async 'shutdown hooks'() {
    const app = await boot({});
    assert.equal(internals.hasShutdownHook('SIGHUP'), false);
    app.enableShutdownHooks(['SIGHUP']);
    assert.equal(internals.hasShutdownHook('SIGHUP'), true);
    await app.close();
    assert.equal(internals.hasShutdownHook('SIGHUP'), false);
  },

  async 'errors of missing providers'() {
    const needing = { provide: 'needing', inject: ['nowhere'], useFactory: () => undefined };
    const failure = await boot({ providers: [needing] }).catch((error) => error);
    assert.equal(internals.isMissingDependency(failure), true);
    const app = await boot({});
    assert.throws(() => app.get('nowhere'), internals.isMissingDependency);
    await app.close();
  },

  async 'reads of imports and consumption of their promises'() {
    const log = [];
    class Core {}
    const core = { module: Core };
    let reads = 0;
    const promise = (read) =>
      new (class extends Promise {
        static get [Symbol.species]() {
          return Promise;
        }

        constructor() {
          super(() => undefined);
        }

        then(...handlers) {
          log.push(`consume ${read}`);
          return new Promise((resolve) => setImmediate(resolve, core)).then(...handlers);
        }
      })();
    const lazy = { module: class Lazy {}, get imports() { return [promise((reads += 1))] } }; // prettier-ignore
    const provider = early(() => void log.push('providers'));
    const app = await boot({ imports: [lazy], providers: [provider] });
    // The promise of the first read before the second one, and again after all others and before any provider exists.
    assert.equal(log[0], 'consume 1');
    const consumed = log.slice(0, log.indexOf('providers'));
    assert.equal(consumed.at(-1), 'consume 1');
    assert.equal(new Set(consumed).size, 2);
    await app.close();
  },
};

const passed = [];
const failed = [];
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    passed.push(name);
  } catch (error) {
    failed.push(`${name}: ${error.stack}`);
  }
}
console.log(JSON.stringify({ passed, failed }));
