// Turns a drawn graph into Nest modules whose consumers report what they saw.
import { consumerKinds, injectable, injected, moduleOf } from './consumers.mjs';
import { pause } from './random.mjs';
import { FEATURED } from './values.mjs';

/** What each consumer saw; a consumer that never reported is as much a failure as one that saw nothing. */
export class Recorder {
  #seen = new Map();

  constructor(expected) {
    this.expected = expected;
  }

  /** @returns the function a consumer calls with the ConfigService it was given. */
  expect(id, about, keys) {
    const entry = { id, ...about, constructed: 0, missed: new Set() };
    this.#seen.set(id, entry);
    return (config) => {
      entry.constructed += 1;
      for (const key of keys) {
        const wanted = JSON.stringify(this.expected[key]);
        if (wanted === undefined) throw new Error(`The harness expects nothing under ${key}`);
        const got = config?.get === undefined ? undefined : JSON.stringify(config.get(key));
        if (got !== wanted) entry.missed.add(`${key}: ${got === undefined ? 'undefined' : 'another value'}`);
      }
    };
  }

  get size() {
    return this.#seen.size;
  }

  get misses() {
    return [...this.#seen.values()]
      .filter(({ missed }) => missed.size > 0)
      .map((entry) => ({ ...entry, missed: [...entry.missed] }));
  }

  get silent() {
    return [...this.#seen.values()].filter(({ constructed }) => constructed === 0).map(({ id }) => id);
  }
}

const placed = (list, { position }, entry) => {
  const index = { first: 0, middle: Math.floor(list.length / 2), last: list.length }[position];
  list.splice(index, 0, entry);
};

function configEntry(kit, { config }) {
  const { ConfigModule, Global, registerAs } = kit;
  const own = [() => ({ OWN: 'own' }), registerAs('own', async () => (await pause(config.delay), { value: 'own' }))];
  const load = [...(config.load ? own : []), ...kit.loaders(config.delay)];
  const options = { ignoreEnvFile: true, cache: config.cache, ...(load.length > 0 && { load }) };
  if (config.style === 'global') return ConfigModule.forRoot({ ...options, isGlobal: true });
  const imports = [config.style === 'bare' ? ConfigModule : ConfigModule.forRoot(options)];
  const type = moduleOf(kit, 'GlobalConfig', { imports, exports: [ConfigModule] });
  Global()(type);
  return type;
}

const vaultStyles = {
  factory: (kit, options, base) => ({
    ...base,
    inject: [kit.ConfigService],
    useFactory: (env) => ({ ...options, endpoint: env.getOrThrow('VAULT_ADDR') }),
  }),
  'factory-plain': (_kit, options, base, { delay }) => ({
    ...base,
    useFactory: async () => (await pause(delay), options),
  }),
  'factory-imports': (kit, options, base) => ({
    ...base,
    imports: [kit.ConfigModule],
    inject: [kit.ConfigService],
    useFactory: (env) => ({ ...options, endpoint: env.getOrThrow('VAULT_ADDR') }),
  }),
  'factory-forRoot': (kit, options, base) => ({
    ...base,
    imports: [kit.ConfigModule.forRoot({ ignoreEnvFile: true })],
    inject: [kit.ConfigService],
    useFactory: async (env) => ({ ...options, endpoint: env.getOrThrow('VAULT_ADDR') }),
  }),
  'factory-token'(kit, options, base, { delay }) {
    const provider = { provide: 'vault-options', useFactory: async () => (await pause(delay), options) };
    const settings = moduleOf(kit, 'VaultSettings', { providers: [provider], exports: ['vault-options'] });
    return { ...base, imports: [settings], inject: ['vault-options'], useFactory: (given) => given };
  },
  class: (kit, options, base) => ({ ...base, useClass: optionsFactory(kit, options, []) }),
  existing(kit, options, base) {
    const factory = optionsFactory(kit, options, [kit.ConfigService]);
    const settings = moduleOf(kit, 'VaultSettings', {
      imports: [kit.ConfigModule],
      providers: [factory],
      exports: [factory],
    });
    return { ...base, imports: [settings], useExisting: factory };
  },
};

function optionsFactory(kit, options, tokens) {
  const type = injectable(kit, 'VaultOptions', tokens, () => {});
  type.prototype[kit.optionsMethod] = () => options;
  return type;
}

function vaultEntry(kit, spec, options) {
  if (spec.style === 'forRoot') return kit.VaultModule.forRoot(options);
  if (spec.style.startsWith('wrapped')) {
    const inner = kit.VaultModule.forRootAsync(vaultStyles.factory(kit, options, { isGlobal: spec.isGlobal }, spec));
    const reexport = spec.style === 'wrapped-reexported' ? { exports: [kit.VaultModule] } : {};
    return moduleOf(kit, 'Secrets', { imports: [inner], ...reexport });
  }
  return kit.VaultModule.forRootAsync(vaultStyles[spec.style](kit, options, { isGlobal: spec.isGlobal }, spec));
}

function accessTo(kit, module) {
  if (module.config === 'plain') return [kit.ConfigModule];
  if (module.config !== 'feature') return [];
  return [kit.ConfigModule.forFeature(kit.registerAs(`feature${module.id}`, () => ({ value: module.id })))];
}

/** The metadata a module gets from its consumers, and how each of them is awaited. */
function consumersOf(kit, module, recorder, { vaultIsGlobal, vaults }) {
  return module.consumers.map((consumer) => {
    const about = { kind: consumer.kind, config: module.config };
    const keys = consumer.kind === 'feature-provider' ? [`${FEATURED}.STRESS_PASSWORD`] : consumer.keys;
    const see = recorder.expect(consumer.id, about, kit.featured ? keys : consumer.keys);
    const context = { ...consumer, see, kit, vaultIsGlobal, vaults, token: `consumer:${consumer.id}` };
    return consumerKinds[consumer.kind](context);
  });
}

function moduleType(kit, { id, config, consumesInConstructor }, recorder) {
  if (!consumesInConstructor) return injected(kit, `Module${id}`, [], () => {});
  const see = recorder.expect(`m${id}.constructor`, { kind: 'module', config }, ['STRESS_PASSWORD']);
  return injected(kit, `Module${id}`, [kit.ConfigService], see);
}

/** @returns the application's module class, what is asked for after the boot, and how often Vault was logged in to. */
export function buildGraph(kit, graph, recorder) {
  const types = new Map(graph.modules.map((module) => [module.id, moduleType(kit, module, recorder)]));
  const references = new Map();
  const late = [];
  const logins = { expected: 0, seen: 0 };
  // The token is asked for once per login, and a boot logs in once per VaultModule: secret ids may be good for one use.
  const counted = (options) => {
    logins.expected += 1;
    const token = () => ((logins.seen += 1), options.auth.token);
    return { ...options, auth: { ...options.auth, token } };
  };
  const vaultIsGlobal = graph.vault !== null && (graph.vault.style === 'forRoot' || graph.vault.isGlobal);
  // Children first: a dynamic module's metadata holds the references of the modules it imports.
  for (const module of [...graph.modules].reverse()) {
    const vaults = [graph.vault, graph.second].filter(Boolean).length;
    const parts = consumersOf(kit, module, recorder, { vaultIsGlobal, vaults });
    const all = (field) => parts.flatMap((part) => part[field] ?? []);
    // Nest follows no promise behind forwardRef, so that one direction of the circle stays direct.
    const refer = ({ id, back, form }) =>
      back.includes(module.id) && form !== 'promise' ? kit.forwardRef(() => references.get(id)) : references.get(id);
    const imports = graph.modules
      .filter(({ id, parent }) => parent === module.id || module.also.includes(id))
      .map(refer);
    imports.push(...accessTo(kit, module), ...all('imports'));
    imports.push(...module.back.map((up) => kit.forwardRef(() => types.get(up))));
    if (graph.config.at === module.id) placed(imports, graph.config, configEntry(kit, graph));
    if (graph.vault?.at === module.id)
      placed(imports, graph.vault, vaultEntry(kit, graph.vault, counted(kit.vaultOptions)));
    if (graph.second?.at === module.id)
      placed(imports, graph.second, vaultEntry(kit, graph.second, counted(kit.secondOptions)));
    const metadata = { imports, providers: all('providers'), controllers: all('controllers'), exports: all('exports') };
    late.push(...all('late'));
    references.set(module.id, define(kit, module, types.get(module.id), metadata));
  }
  return { Root: types.get(0), late, logins };
}

function define(kit, module, type, metadata) {
  if (module.form === 'static') {
    kit.Module(metadata)(type);
    if (module.global) kit.Global()(type);
    return type;
  }
  kit.Module({})(type);
  const dynamic = { module: type, global: module.global, ...metadata };
  return module.form === 'dynamic' ? dynamic : pause(module.delay).then(() => dynamic);
}
