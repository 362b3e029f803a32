// Every way in which application code gets hold of ConfigService and reads it while Nest is still building providers.
// A kind is a function from { id, token, see, delay, kit, module } to the metadata it adds to its module, plus `late`:
// what is constructed only on demand, after the boot.
import { pause } from './random.mjs';
import { FEATURED, SECRETS } from './values.mjs';

const named = (name, type) => Object.defineProperty(type, 'name', { value: name });

/** `class Name { constructor(@Inject(a) …, @Inject(b) …) }`, without a compiler. */
export function injected(kit, name, tokens, construct) {
  const type = named(
    name,
    class {
      constructor(...dependencies) {
        construct.apply(this, dependencies);
      }
    },
  );
  tokens.forEach((token, index) => kit.Inject(token)(type, undefined, index));
  return type;
}

export function injectable(kit, name, tokens, construct, options) {
  const type = injected(kit, name, tokens, construct);
  kit.Injectable(options)(type);
  return type;
}

/** `@Module(metadata) class Name {}` */
export function moduleOf(kit, name, metadata = {}) {
  const type = named(name, class {});
  kit.Module(metadata)(type);
  return type;
}

const reading = ({ see, delay }) =>
  async function read(config) {
    await pause(delay);
    see(config);
    return 'read';
  };

/** As TypeOrmModule.forRootAsync: the options of a nested (global) core module come from a factory with ConfigService. */
function orm(context, { core }) {
  const { id, kit, importsConfig } = context;
  const core_ = {
    module: moduleOf(kit, `OrmCore_${id}`),
    global: core,
    imports: importsConfig ? [kit.ConfigModule] : [],
    providers: [
      { provide: `orm-options:${id}`, inject: [kit.ConfigService], useFactory: reading(context) },
      { provide: `orm-connection:${id}`, inject: [`orm-options:${id}`], useFactory: (options) => ({ options }) },
    ],
    exports: [`orm-connection:${id}`],
  };
  return core ? { module: moduleOf(kit, `Orm_${id}`), imports: [core_] } : core_;
}

export const consumerKinds = {
  class: ({ id, kit, see }) => ({ providers: [injectable(kit, `Class_${id}`, [kit.ConfigService], see)] }),

  paramtypes({ id, kit, see }) {
    const type = injectable(kit, `Typed_${id}`, [], see);
    Reflect.defineMetadata('design:paramtypes', [kit.ConfigService], type);
    return { providers: [type] };
  },

  factory: ({ token, kit, see }) => ({
    providers: [{ provide: token, inject: [kit.ConfigService], useFactory: (config) => (see(config), 'read') }],
  }),

  'async-factory': (context) => ({
    providers: [{ provide: context.token, inject: [context.kit.ConfigService], useFactory: reading(context) }],
  }),

  alias: ({ id, token, kit, see }) => ({
    providers: [
      { provide: `alias:${id}`, useExisting: kit.ConfigService },
      { provide: token, inject: [`alias:${id}`], useFactory: (config) => (see(config), 'read') },
    ],
  }),

  property({ id, kit, see }) {
    const type = named(
      `Property_${id}`,
      class {
        onModuleInit() {
          see(this.config);
        }
      },
    );
    kit.Inject(kit.ConfigService)(type.prototype, 'config');
    kit.Injectable()(type);
    return { providers: [type] };
  },

  optional({ id, kit, see }) {
    const type = injectable(kit, `Optional_${id}`, [kit.ConfigService], see);
    kit.Optional()(type, undefined, 0);
    return { providers: [type] };
  },

  transient({ id, kit, see }) {
    const inner = injectable(kit, `Transient_${id}`, [kit.ConfigService], see, { scope: kit.Scope.TRANSIENT });
    return { providers: [inner, injectable(kit, `Owner_${id}`, [inner], () => {})] };
  },

  controller({ id, kit, see }) {
    const type = injected(kit, `Controller_${id}`, [kit.ConfigService], see);
    kit.Controller(`c-${id}`)(type);
    return { controllers: [type] };
  },

  interceptor: ({ kit, see }) => ({
    providers: [
      {
        provide: kit.APP_INTERCEPTOR,
        inject: [kit.ConfigService],
        useFactory: (config) => (see(config), { intercept: (_context, next) => next.handle() }),
      },
    ],
  }),

  'circular-pair'({ id, kit, see }) {
    const pair = {};
    pair.left = injectable(kit, `Left_${id}`, [kit.forwardRef(() => pair.right), kit.ConfigService], (_other, config) =>
      see(config),
    );
    pair.right = injectable(kit, `Right_${id}`, [kit.ConfigService, kit.forwardRef(() => pair.left)], see);
    return { providers: [pair.left, pair.right] };
  },

  'after-slow': ({ id, token, kit, see, delay }) => ({
    providers: [
      { provide: `slow:${id}`, useFactory: () => pause(delay) },
      {
        provide: token,
        inject: [`slow:${id}`, kit.ConfigService],
        useFactory: (_slow, config) => (see(config), 'read'),
      },
    ],
  }),

  /** Exported, so that the importing module's consumers wait for it too. */
  exported: (context) => ({
    providers: [{ provide: context.token, inject: [context.kit.ConfigService], useFactory: reading(context) }],
    exports: [context.token],
  }),

  orm: (context) => ({ imports: [orm(context, { core: false })] }),
  'orm-core': (context) => ({ imports: [orm(context, { core: true })] }),
  'orm-promise': (context) => ({
    imports: [pause(context.delay).then(() => orm(context, { core: true }))],
  }),

  'vault-service'(context) {
    const { id, token, kit, see } = context;
    if (!kit.VaultService || !context.vaultIsGlobal) return consumerKinds.class(context);
    return {
      providers: [
        {
          provide: token,
          inject: [kit.VaultService, kit.ConfigService],
          useFactory: async (vault, config) => {
            see(config);
            await kit.readThrough(vault, `vault-service ${id}`);
            return 'read';
          },
        },
      ],
    };
  },

  /** Whoever imports a namespace has it, by its token and by its key. */
  feature(context) {
    const { id, kit, see } = context;
    if (!kit.featured || context.vaults === 0) return consumerKinds.class(context);
    const tokens = [kit.ConfigService, kit.featured.KEY];
    const type = injectable(kit, `Feature_${id}`, tokens, (config, values) => {
      // With two modules that both read it, the one object may be the one's and the other the other's.
      const same =
        (config.get(FEATURED) === values || context.vaults > 1) && values.STRESS_PASSWORD === SECRETS.STRESS_PASSWORD;
      see(same ? config : undefined);
    });
    return { imports: [kit.VaultModule.forFeature(kit.featured)], providers: [type] };
  },

  'feature-provider'(context) {
    const { id, kit, see } = context;
    if (!kit.featured || context.vaults === 0) return consumerKinds.class(context);
    const { imports, inject, useFactory } = kit.featured.asProvider();
    const core = {
      module: moduleOf(kit, `Connected_${id}`),
      imports,
      providers: [
        { provide: `options:${id}`, inject, useFactory },
        {
          provide: `connection:${id}`,
          inject: [`options:${id}`],
          useFactory: (values) => see({ get: (key) => values[key.split('.')[1]] }),
        },
      ],
    };
    return { imports: [core] };
  },

  request({ id, kit, see }) {
    const type = injectable(kit, `Request_${id}`, [kit.ConfigService], see, { scope: kit.Scope.REQUEST });
    return { providers: [type], late: [{ resolve: type }] };
  },

  durable({ id, kit, see }) {
    const type = injectable(kit, `Durable_${id}`, [kit.ConfigService], see, {
      scope: kit.Scope.REQUEST,
      durable: true,
    });
    return { providers: [type], late: [{ resolve: type }] };
  },

  'request-factory': (context) => ({
    providers: [
      {
        provide: context.token,
        scope: context.kit.Scope.REQUEST,
        inject: [context.kit.ConfigService],
        useFactory: reading(context),
      },
    ],
    late: [{ resolve: context.token }],
  }),

  lazy({ id, kit, see }) {
    const reader = injectable(kit, `LazyReader_${id}`, [kit.ConfigService], see);
    const type = moduleOf(kit, `Lazy_${id}`, { imports: kit.importsWhenLazy, providers: [reader] });
    return { late: [{ load: type }] };
  },
};
