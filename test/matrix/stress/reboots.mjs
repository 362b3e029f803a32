// The same AppModule class booted again: after a close, at once, after a failure. Each case throws when it goes wrong.
import { deepStrictEqual as same, rejects } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { injectable, moduleOf } from './consumers.mjs';
import { pause } from './random.mjs';
import * as admin from './vault-admin.mjs';

/** An application whose `Reader` keeps what it read in its constructor, in a module that imports plain ConfigModule. */
function application(kit, auth, path, providers = []) {
  const { ConfigModule, ConfigService, VaultModule } = kit;
  const Reader = injectable(kit, 'Reader', [ConfigService], function keep(config) {
    this.saw = config.get('AGAIN');
  });
  const Feature = moduleOf(kit, 'Feature', { imports: [ConfigModule], providers: [Reader] });
  const vault = VaultModule.forRootAsync({
    inject: [ConfigService],
    useFactory: (env) => ({ endpoint: env.getOrThrow('VAULT_ADDR'), auth, config: { sources: [path] } }),
  });
  const imports = [Feature, vault, ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true })];
  return {
    vault,
    AppModule: moduleOf(kit, 'AppModule', { imports, providers }),
    saw: (app) => app.get(Reader, { strict: false }).saw,
    /** Whether the session of this application still works. */
    async alive(app) {
      const { data } = await app.get(kit.VaultService, { strict: false }).kv('secret').read(path);
      return data.AGAIN;
    },
  };
}

/** A promise in `imports` that is made when it is awaited, as applications have them after a failed attempt. */
const later = (make) =>
  new (class extends Promise {
    static get [Symbol.species]() {
      return Promise;
    }

    constructor() {
      super(() => {});
    }

    then(...handlers) {
      return make().then(...handlers);
    }
  })();

const broken = (kit, flag) => [
  {
    provide: 'breakable',
    inject: [kit.ConfigService],
    useFactory: () => {
      if (flag.broken) throw new Error('broken on purpose');
    },
  },
];

const cases = {
  async 'with a variable of the same name, validated or not'(kit, auth, path) {
    const secret = { AGAIN_IN_ENVIRONMENT: 'of Vault', environment: 'of Vault' };
    const sources = [path, { secretPath: path, as: 'again' }];
    await admin.write(path, secret);
    process.env.AGAIN_IN_ENVIRONMENT = process.env['again.environment'] = 'of the environment';
    for (const validate of [undefined, (variables) => ({ ...variables })]) {
      const seen = [];
      const Reader = injectable(kit, 'Reader', [kit.ConfigService], (config) => {
        seen.push(config.get('AGAIN_IN_ENVIRONMENT'), config.get('again.environment'));
      });
      const Feature = moduleOf(kit, 'Feature', { imports: [kit.ConfigModule], providers: [Reader] });
      const root = kit.ConfigModule.forRoot({ ignoreEnvFile: true, ...(validate && { validate }) });
      const imports = [Feature, root, kit.VaultModule.forRoot({ auth, config: { sources } })];
      const app = await kit.boot(moduleOf(kit, 'AppModule', { imports, providers: [Reader] }));
      same(seen, Array(4).fill('of Vault'));
      const [config, vault] = [app.get(kit.ConfigService), app.get(kit.VaultService, { strict: false })];
      const refreshed = async (value) => {
        await admin.write(path, { AGAIN_IN_ENVIRONMENT: value, environment: value });
        await vault.refresh();
        return [config.get('AGAIN_IN_ENVIRONMENT'), config.get('again.environment')];
      };
      same(await refreshed('newer'), ['newer', 'newer']);
      // What the application itself sets is its own.
      config.set('AGAIN_IN_ENVIRONMENT', 'of the application');
      same(config.get('AGAIN_IN_ENVIRONMENT'), 'of the application');
      same(await refreshed('newest'), ['of the application', 'newest']);
      await app.close();
      await admin.write(path, secret);
    }
    delete process.env.AGAIN_IN_ENVIRONMENT;
    delete process.env['again.environment'];
  },

  async 'and its values changed while it runs'(kit, auth, path) {
    await admin.write(path, { AGAIN: 'old', OTHER: 'old' });
    const living = kit.vaultConfig('living', { secretPath: path });
    const heard = [];
    class Listener {
      constructor(values) {
        this.values = values;
      }
      hear({ keys }) {
        heard.push(...keys);
      }
    }
    kit.Inject(living.KEY)(Listener, undefined, 0);
    kit.Injectable()(Listener);
    kit.OnVaultChange('living')(
      Listener.prototype,
      'hear',
      Object.getOwnPropertyDescriptor(Listener.prototype, 'hear'),
    );
    const vault = kit.VaultModule.forRoot({ auth, config: { sources: [path, living] } });
    const root = kit.ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, cache: true });
    const AppModule = moduleOf(kit, 'Changing', { imports: [root, vault], providers: [Listener] });
    const app = await kit.boot(AppModule);
    const config = app.get(kit.ConfigService, { strict: false });
    const { values } = app.get(Listener);
    const events = [];
    config.changes$.subscribe(({ path: key, oldValue, newValue }) => {
      // Whoever hears of the first key finds all of them changed.
      events.push([key, oldValue, newValue, config.get('AGAIN'), values.OTHER]);
    });
    await admin.write(path, { AGAIN: 'new', OTHER: 'new' });
    await app.get(kit.VaultService, { strict: false }).refresh();
    same(values, { AGAIN: 'new', OTHER: 'new' });
    same(config.get('living') === values, true);
    same(events.map(([key]) => key).sort(), ['AGAIN', 'OTHER', 'living.AGAIN', 'living.OTHER']);
    same(events[0].slice(1), ['old', 'new', 'new', 'new']);
    same(heard.includes('living.OTHER'), true);
    same([process.env.AGAIN, process.env['living.AGAIN']], [undefined, undefined]);
    await app.close();
  },

  async 'with references that nobody resolves, then with those that are'(kit, auth, path) {
    await admin.write(path, { AGAIN: 'resolved' });
    const reference = `vault:secret/${path}#AGAIN`;
    const made = () => ({ loaded: { value: reference } });
    process.env.AGAIN_REFERENCE = reference;
    const before = await admin.tokens();
    const boot = (name, options, config) => {
      const root = kit.ConfigModule.forRoot({ ignoreEnvFile: true, ...options });
      return kit.boot(moduleOf(kit, name, { imports: [kit.VaultModule.forRoot({ auth, config }), root] }));
    };
    const validate = (variables) => ({ ...variables, renamed: { value: variables.AGAIN_REFERENCE } });
    await rejects(boot('Loading', { load: [made] }, {}), /reference to Vault: "loaded\.value"\./);
    await rejects(boot('Validating', { validate }, {}), /reference to Vault: "renamed\.value"\./);
    const app = await boot('Resolving', { validate: (variables) => ({ ...variables }) }, { load: [made] });
    const config = app.get(kit.ConfigService, { strict: false });
    same([config.get('loaded.value'), config.get('AGAIN_REFERENCE')], ['resolved', 'resolved']);
    await app.close();
    delete process.env.AGAIN_REFERENCE;
    same(await admin.settledTokens(before), before, 'sessions outlived the boots that failed');
  },

  async 'after a close, with a new value'(kit, auth, path) {
    const { AppModule, saw } = application(kit, auth, path);
    const before = await admin.tokens();
    for (const value of ['first', 'second', 'third']) {
      await admin.write(path, { AGAIN: value });
      const app = await kit.boot(AppModule);
      same(saw(app), value);
      await app.close();
    }
    same(await admin.settledTokens(before), before, 'sessions outlived their applications');
  },

  async 'twice at once'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    const before = await admin.tokens();
    await admin.write(path, { AGAIN: 'at once' });
    const [one, two] = await Promise.all([kit.boot(AppModule), kit.boot(AppModule)]);
    same([saw(one), saw(two)], ['at once', 'at once']);
    await one.close();
    await one.close();
    same(await alive(two), 'at once');
    await two.close();
    await admin.write(path, { AGAIN: 'later' });
    const three = await kit.boot(AppModule);
    same([saw(three), await alive(three)], ['later', 'later']);
    await three.close();
    same(await admin.settledTokens(before), before, 'sessions outlived their applications');
  },

  async 'once per secret id good for one login'(kit, auth, path) {
    await admin.write(path, { AGAIN: 'single use' });
    const arrangements = {
      direct: (AppModule) => AppModule,
      shared: (AppModule) => {
        const features = [1, 2, 3].map((at) => moduleOf(kit, `Feature${at}`, { imports: [AppModule] }));
        return moduleOf(kit, 'Sharing', { imports: features });
      },
      'beside a slow import': (AppModule) => {
        const slow = later(() => pause(5).then(() => moduleOf(kit, 'Slow')));
        const host = { module: moduleOf(kit, 'Host'), imports: [slow, AppModule] };
        return moduleOf(kit, 'Waiting', { imports: [host] });
      },
    };
    for (const [name, arrange] of Object.entries(arrangements)) {
      const secretId = await admin.createSecretId(1);
      const { AppModule, vault, saw } = application(kit, { ...auth, secretId }, path);
      const Root = arrange(name === 'direct' ? AppModule : moduleOf(kit, 'Both', { imports: [AppModule, vault] }));
      const app = await kit.boot(Root).catch((error) => {
        throw new Error(`${name}: ${error.message}`);
      });
      same(saw(app), 'single use');
      await app.close();
    }
  },

  async 'while the first one runs'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'running' });
    const one = await kit.boot(AppModule);
    const two = await kit.boot(AppModule);
    same([saw(one), saw(two)], ['running', 'running']);
    await one.close();
    const three = await kit.boot(AppModule);
    await two.close();
    same([saw(three), await alive(three)], ['running', 'running']);
    await three.close();
  },

  async 'while the first one closes'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'closing' });
    const one = await kit.boot(AppModule);
    const [, two] = await Promise.all([one.close(), kit.boot(AppModule)]);
    same([saw(two), await alive(two)], ['closing', 'closing']);
    await two.close();
  },

  async 'after another provider failed'(kit, auth, path) {
    const flag = { broken: true };
    const { AppModule, saw, alive } = application(kit, auth, path, broken(kit, flag));
    await admin.write(path, { AGAIN: 'before' });
    await rejects(kit.boot(AppModule), /broken on purpose/);
    flag.broken = false;
    await admin.write(path, { AGAIN: 'after' });
    const app = await kit.boot(AppModule);
    same([saw(app), await alive(app)], ['after', 'after']);
    await app.close();
    await admin.write(path, { AGAIN: 'at last' });
    const last = await kit.boot(AppModule);
    same(saw(last), 'at last');
    await last.close();
  },

  async 'after another import failed'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    const Failing = moduleOf(kit, 'Failing', {
      imports: [AppModule, later(() => Promise.reject(new Error('no module')))],
    });
    await admin.write(path, { AGAIN: 'before' });
    await rejects(kit.boot(Failing), /no module/);
    await admin.write(path, { AGAIN: 'after' });
    const app = await kit.boot(AppModule);
    same([saw(app), await alive(app)], ['after', 'after']);
    await app.close();
  },

  async 'beside one whose other provider fails'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    const Failing = moduleOf(kit, 'Failing', { imports: [AppModule], providers: broken(kit, { broken: true }) });
    await admin.write(path, { AGAIN: 'beside' });
    const [failed, app] = await Promise.allSettled([kit.boot(Failing), kit.boot(AppModule)]);
    same([failed.status, app.status], ['rejected', 'fulfilled'], String(app.reason?.stack));
    same([saw(app.value), await alive(app.value)], ['beside', 'beside']);
    await app.value.close();
  },

  async 'after its secret was missing'(kit, auth, path) {
    const { AppModule, saw } = application(kit, auth, path);
    await admin.remove(path);
    const failures = await Promise.allSettled([kit.boot(AppModule), kit.boot(AppModule)]);
    for (const { status, reason } of failures) {
      same(status, 'rejected');
      same([reason.name, reason.message.includes(path)], ['VaultConfigurationError', true], reason.stack);
    }
    await admin.write(path, { AGAIN: 'there now' });
    const app = await kit.boot(AppModule);
    same(saw(app), 'there now');
    await app.close();
  },

  async 'with features that cannot be provided'(kit, auth, path, random) {
    await admin.write(path, { AGAIN: 'featured' });
    const vault = path;
    const missing = {
      '~standard': {
        version: 1,
        vendor: 'stress',
        validate: () => ({ issues: [{ message: 'missing', path: ['x'] }] }),
      },
    };
    const featureOf = (name, options) => {
      const namespace = kit.vaultConfig(name, { vault, ...options });
      return { namespace, module: moduleOf(kit, name, { imports: [kit.VaultModule.forFeature(namespace)] }) };
    };
    const good = featureOf('good', { secretPath: path });
    const absent = featureOf('absent', { secretPath: `${path}-absent` });
    const unfit = featureOf('unfit', { secretPath: path, schema: missing });
    const created = [];
    const spy = (name) => {
      const Free = injectable(kit, `${name}Free`, [], () => created.push(name));
      return moduleOf(kit, name, { providers: [Free] });
    };
    const before = await admin.tokens();
    for (const sources of [[path], [path, `${path}-gone`]]) {
      for (let round = 0; round < 4; round += 1) {
        const root = kit.VaultModule.forRoot({ auth, config: { sources } }, { name: vault });
        const broken = [absent.module, unfit.module, root, spy('First'), spy('Last')].sort(() => random.between(-9, 9));
        const whole = [good.module, root];
        const boots = [broken, whole, broken].map((imports) => kit.boot(moduleOf(kit, 'Root', { imports })));
        const [one, two, three] = await Promise.allSettled(boots);
        for (const { reason } of [one, three]) {
          same([reason?.name, reason?.errors?.length], ['VaultConfigurationError', sources.length + 1], reason?.stack);
        }
        same(two.status, sources.length === 1 ? 'fulfilled' : 'rejected', two.reason?.stack);
        if (two.value) same(two.value.get(good.namespace.KEY, { strict: false }), { AGAIN: 'featured' });
        else same(two.reason.errors.length, 1);
        await two.value?.close();
        same(created, []);
      }
    }
    same(await admin.settledTokens(before), before, 'sessions outlived the boots that failed');
  },

  /** Both are scanned at once; one has come and gone before the other has created its first provider. */
  async 'beside larger ones that come later'(kit, auth, path) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'larger' });
    const brief = async () => {
      const app = await kit.boot(AppModule);
      const value = saw(app);
      await app.close();
      return value;
    };
    const large = async (size, delay) => {
      const many = Array.from({ length: size }, (_, at) => moduleOf(kit, `Many${at}`));
      const app = await kit.boot(
        moduleOf(kit, 'Large', { imports: [AppModule, ...many, later(() => pause(delay).then(() => many[0]))] }),
      );
      const values = [saw(app), await alive(app)];
      await app.close();
      return values;
    };
    for (const size of [1, 30, 300]) {
      const boots = [brief(), large(size, 0), large(size, -20), large(size, 5), large(size, 20)];
      const results = await Promise.allSettled(boots);
      const pair = ['larger', 'larger'];
      same(
        results.map(({ value, reason }) => value ?? reason.message),
        ['larger', pair, pair, pair, pair],
      );
    }
  },

  async 'at random times, some failing'(kit, auth, path, random) {
    const { AppModule, saw, alive } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'random' });
    const life = async ({ start, size, fails, lasts }) => {
      await pause(start);
      const many = Array.from({ length: size }, (_, at) => moduleOf(kit, `Many${at}`));
      const providers = fails ? broken(kit, { broken: true }) : [];
      const Outer = moduleOf(kit, 'Outer', { imports: [...many, AppModule], providers });
      if (fails) return rejects(kit.boot(Outer), /broken on purpose/);
      const app = await kit.boot(Outer);
      same([saw(app), await alive(app)], ['random', 'random']);
      await pause(lasts);
      same(await alive(app), 'random');
      await app.close();
    };
    const draw = () => ({
      start: random.between(-9, 60),
      size: random.pick([0, 1, 5, 40]),
      fails: random.chance(0.2),
      lasts: random.between(-9, 30),
    });
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => life(draw())));
    const reasons = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
    if (reasons.length > 0) throw new AggregateError(reasons, `${reasons.length} of 60: ${reasons[0].stack}`);
  },

  async 'after 20 boots that failed in providers and hooks, with nothing left of them'(kit, auth, path) {
    await admin.write(path, { AGAIN: 'left', ca: 'a file' });
    const { hostname, port } = new URL(process.env.VAULT_ADDR);
    const sockets = new Set();
    const front = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
      const onward = connect(port, hostname).on('error', () => undefined);
      socket.pipe(onward).pipe(socket);
    });
    await new Promise((resolve) => front.listen(0, '127.0.0.1', resolve));
    const folder = mkdtempSync(join(tmpdir(), 'failed-boots-'));
    const endpoint = `http://127.0.0.1:${front.address().port}`;
    const { TMPDIR } = process.env;
    process.env.TMPDIR = folder;
    const before = await admin.tokens();
    const fail = () => {
      throw new Error('failed on purpose');
    };
    const failing = ['provider', 'onModuleInit', 'provider', 'onApplicationBootstrap'];
    const boot = (kind, round) => {
      const config = {
        sources: [{ secretPath: path, files: ['ca'] }],
        exportToProcessEnv: true,
        refresh: { intervalMs: 60_000, sighup: true },
      };
      const Listener = injectable(kit, 'Listener', [kit.VaultService, kit.ModuleRef], function keep(vault, moduleRef) {
        vault.events$.subscribe(() => moduleRef.get(kit.VaultService));
        vault.changes$.subscribe(() => moduleRef.get(kit.VaultService));
      });
      const Failing = injectable(kit, 'Failing', [kit.ConfigService], kind === 'provider' ? fail : () => undefined);
      if (kind !== 'provider') Failing.prototype[kind] = round % 8 < 4 ? fail : () => new Promise(fail);
      const Feature = moduleOf(kit, 'Feature', { providers: [Failing] });
      const vault = kit.VaultModule.forRoot({ endpoint, auth, config });
      return kit.boot(moduleOf(kit, 'Root', { imports: [vault, Feature], providers: [Listener] }));
    };
    for (let round = 0; round < 20; round += 1) {
      await rejects(boot(failing[round % failing.length], round), /failed on purpose/);
    }
    const left = async () => ({
      tokens: (await admin.tokens()) - before,
      files: readdirSync(folder),
      sockets: sockets.size,
      variables: ['AGAIN', 'ca'].filter((name) => name in process.env),
      listeners: process.listenerCount('SIGHUP'),
    });
    const nothing = { tokens: 0, files: [], sockets: 0, variables: [], listeners: 0 };
    let found = await left();
    for (
      const end = Date.now() + 10_000;
      !isDeepStrictEqual(found, nothing) && Date.now() < end;
      found = await left()
    ) {
      globalThis.gc();
      await turn();
    }
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    front.close();
    rmSync(folder, { recursive: true });
    same(found, nothing);
  },

  async 'and dropped, while a provider works on'(kit, auth, path) {
    const { AppModule } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'dropped' });
    const vault = await (async () => (await kit.boot(AppModule)).get(kit.VaultService, { strict: false }))();
    for (let round = 0; round < 5; round += 1) {
      globalThis.gc();
      await pause(10);
    }
    same((await vault.kv('secret').read(path)).data.AGAIN, 'dropped');
  },

  async 'inside another application'(kit, auth, path) {
    const { AppModule, vault, saw } = application(kit, auth, path);
    await admin.write(path, { AGAIN: 'inside' });
    const Outer = moduleOf(kit, 'Outer', { imports: [AppModule] });
    const Beside = moduleOf(kit, 'Beside', { imports: [vault] });
    const apps = await Promise.all([kit.boot(AppModule), kit.boot(Outer), kit.boot(Beside)]);
    same(apps.slice(0, 2).map(saw), ['inside', 'inside']);
    same(apps[2].get(kit.ConfigService, { strict: false }).get('AGAIN'), 'inside');
    for (const app of apps) await app.close();
  },

  async 'defined but never booted'(kit, auth) {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${server.address().port}`;
    const options = { endpoint, auth, config: { sources: ['never'] } };
    moduleOf(kit, 'Never', { imports: [kit.VaultModule.forRoot(options)] });
    moduleOf(kit, 'Neither', { imports: [kit.VaultModule.forRootAsync({ useFactory: () => options })] });
    for (let round = 0; round < 10; round += 1) await turn();
    await new Promise((resolve) => server.close(resolve));
    same(connections, 0);
  },
};

/** @returns the number of cases run and what went wrong in them. */
export async function runReboots(kit, random) {
  const auth = await admin.createAppRole();
  const errors = [];
  for (const [index, [name, run]] of Object.entries(cases).entries()) {
    // A path per case, format and process: several harnesses may share the server.
    const path = `again/${process.pid}-${index}`;
    await run(kit, auth, path, random).catch((error) => errors.push({ name, error }));
  }
  return { cases: Object.keys(cases).length, errors };
}
