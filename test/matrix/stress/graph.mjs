// Draws one random module graph as plain data, so that it can be printed, replayed from its seed and shrunk.
import { randomFrom } from './random.mjs';
import { EXPECTED, FEATURED, SECOND_SECRETS } from './values.mjs';

/** What every application has; the namespace of a feature only those that import it. */
const KEYS = Object.keys(EXPECTED).filter((key) => !key.startsWith(FEATURED));

const CONSUMERS = [
  ...['class', 'paramtypes', 'factory', 'async-factory', 'alias', 'property', 'transient', 'controller'],
  ...['interceptor', 'circular-pair', 'after-slow', 'exported', 'orm', 'orm-core', 'orm-promise', 'lazy', 'durable'],
  ...['request', 'request-factory', 'vault-service', 'optional', 'feature', 'feature-provider'],
];
const DELAYS = [0, 0, 0, -1, -2, -3, -5, -8, -13, 1, 2];
const POSITIONS = ['first', 'middle', 'last'];
const VAULT_STYLES = [
  ...['forRoot', 'factory', 'factory', 'factory-plain', 'factory-imports', 'factory-forRoot', 'factory-token'],
  ...['class', 'existing', 'wrapped', 'wrapped-reexported'],
];

function drawModule(random, id, count) {
  const consumers = Array.from({ length: random.pick([0, 1, 1, 2, 3]) }, (_, at) => ({
    id: `m${id}.c${at}`,
    kind: random.pick(CONSUMERS),
    keys: random.sample(KEYS, random.between(1, 3)),
    delay: random.pick(DELAYS),
    importsConfig: random.chance(0.6),
  }));
  const deep = random.chance(0.35);
  return {
    id,
    parent: id === 0 ? null : deep ? id - 1 : random.int(id),
    form: id === 0 ? 'static' : random.pick(['static', 'static', 'static', 'dynamic', 'promise']),
    delay: random.pick(DELAYS),
    global: id !== 0 && random.chance(0.12),
    // How ConfigService gets here: from whoever is global, from plain ConfigModule, from an own forFeature.
    config: random.pick(['global', 'global', 'plain', 'plain', 'feature']),
    consumesInConstructor: random.chance(0.2),
    also: id + 1 < count && random.chance(0.25) ? [random.between(id + 1, count - 1)] : [],
    back: [],
    consumers,
  };
}

const drawVault = (random, modules) => ({
  style: random.pick(VAULT_STYLES),
  at: random.chance(0.5) ? 0 : random.pick(modules).id,
  position: random.pick(POSITIONS),
  delay: random.pick(DELAYS),
  isGlobal: random.chance(0.8),
});

/** @returns a graph: modules in a tree (`parent`) with extra edges down (`also`) and back up (`back`, forwardRef). */
export function drawGraph(seed, index, mode) {
  const random = randomFrom(seed, index);
  const count = random.chance(0.03) ? random.between(40, 80) : random.between(3, 16);
  const modules = Array.from({ length: count }, (_, id) => drawModule(random, id, count));
  for (const module of modules) {
    for (let up = module.parent; up; up = modules[up].parent) {
      if (modules[up].form === 'static' && random.chance(0.2)) module.back.push(up);
    }
  }
  const vault = mode === 'vault' ? drawVault(random, modules) : null;
  const second = vault && random.chance(0.15) ? { ...drawVault(random, modules), isGlobal: false } : null;
  if (second) {
    const readers = modules.flatMap((module) => module.consumers).filter(() => random.chance(0.5));
    for (const reader of readers) reader.keys.push(...Object.keys(SECOND_SECRETS));
  }
  return {
    index,
    idAlgorithm: random.pick([undefined, 'reference', 'deep-hash']),
    config: {
      // `bare`: no ConfigModule.forRoot anywhere, a global module re-exports plain ConfigModule.
      style: mode === 'plain' ? 'global' : random.pick(['global', 'global', 'global', 'reexported', 'bare']),
      at: random.chance(0.7) ? 0 : random.pick(modules).id,
      position: random.pick(POSITIONS),
      cache: random.chance(0.3),
      load: random.chance(0.3),
      delay: random.pick(DELAYS),
    },
    vault,
    second,
    modules,
  };
}

/** Smaller versions of a graph, biggest cuts first: what the shrinker tries. */
export function* cuts(graph) {
  const without = (gone) => {
    const lost = new Set([gone]);
    for (const module of graph.modules) if (lost.has(module.parent)) lost.add(module.id);
    const modules = graph.modules.filter(({ id }) => !lost.has(id));
    const here = (id) => !lost.has(id);
    const keep = (entry) => (entry && lost.has(entry.at) ? { ...entry, at: 0 } : entry);
    return {
      ...graph,
      config: keep(graph.config),
      vault: keep(graph.vault),
      second: keep(graph.second),
      modules: modules.map((module) => ({
        ...module,
        also: module.also.filter(here),
        back: module.back.filter(here),
      })),
    };
  };
  for (const { id } of graph.modules) if (id !== 0) yield without(id);
  if (graph.second) yield { ...graph, second: null };
  const change = (id, patch) => ({
    ...graph,
    modules: graph.modules.map((module) => (module.id === id ? { ...module, ...patch } : module)),
  });
  for (const module of graph.modules) {
    for (const consumer of module.consumers) {
      yield change(module.id, { consumers: module.consumers.filter((other) => other !== consumer) });
    }
    if (module.also.length > 0) yield change(module.id, { also: [] });
    if (module.back.length > 0) yield change(module.id, { back: [] });
    if (module.consumesInConstructor) yield change(module.id, { consumesInConstructor: false });
    if (module.global) yield change(module.id, { global: false });
    if (module.form !== 'static') yield change(module.id, { form: 'static' });
  }
  if (graph.config.load) yield { ...graph, config: { ...graph.config, load: false } };
  if (graph.config.at !== 0) yield { ...graph, config: { ...graph.config, at: 0 } };
  if (graph.vault && graph.vault.at !== 0) yield { ...graph, vault: { ...graph.vault, at: 0 } };
}
