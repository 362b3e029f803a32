import type { ConfigService } from '@nestjs/config';
import type { Observable } from 'rxjs';
import { Subject } from 'rxjs';
import type { JsonObject } from '../client/vault-request.js';
import type { VaultError } from '../errors/index.js';
import type { ConfigurationLoader } from './configuration-loader.js';
import type { Output } from './outputs.js';
import { ConfigOutputs } from './outputs.js';
import type { ConfigLayer } from './plan.js';
import { containerAt, originInside } from './config-tree.js';
import type { Configuration } from './configuration.js';
import type { VaultConfigChange } from './refresh/changes.js';
import { describeChange } from './refresh/changes.js';
import type { NamespaceDefinition } from './namespaces/config-namespace.js';
import { failuresOf, assertSameNamespace } from './namespaces/config-namespace.js';
import type { ConfigWrite } from './config-writer.js';
import { ConfigWriter } from './config-writer.js';
import { namespaceLayer } from './namespaces/vault-config.js';
import { GuardedObservable } from '../observability/guarded-observable.js';
import { copyPlain, isPlainObject, MAX_NESTING, plainAt } from './plain.js';
import { printable, quoted, formatList } from '../errors/format.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import { newerRead, SecretReads } from './sources/read-secrets.js';
import type { VaultValueOrigin } from './origins.js';
import { isFromVault, valueOrigin } from './origins.js';

/**
 * The configuration of one application: the values it got at boot, kept current.
 * @internal
 */
export class ConfigurationStore {
  // Private fields: this object is a provider, and code that inspects those must not find values.
  readonly #values: JsonObject;
  readonly #changes = new Subject<VaultConfigChange>();
  /** Every change, after it has been applied. What a listener throws is logged and does not affect other listeners. */
  readonly changes$: Observable<VaultConfigChange> = new GuardedObservable('changes$', (subscriber) =>
    this.#changes.subscribe(subscriber),
  );
  /** Namespaces of features that this application has, by name. */
  readonly #provided = new Set<string>();
  readonly #adding = new Map<NamespaceDefinition, Promise<void>>();
  readonly #outputs: Output;
  #started = false;
  #closed = false;
  #loaded: Configuration;
  #writer: ConfigWriter | undefined;

  constructor(
    readonly loader: ConfigurationLoader,
    loaded: Configuration,
    outputs: Output = new ConfigOutputs(loader.plan),
  ) {
    this.#loaded = loaded;
    this.#outputs = outputs;
    this.#values = loaded.written.toObject();
  }

  /** What was read last, and what was made of it. */
  get loaded(): Configuration {
    return this.#loaded;
  }

  /** What was read last, by address. */
  get reads(): SecretReads {
    return this.#loaded.reads;
  }

  /**
   * Where every value came from, in ascending precedence.
   *
   * @param key only what is called so, and what is below it
   */
  origins(key?: string): VaultValueOrigin[] {
    const leaves = [...this.#loaded.tree.leaves()].filter(({ origin }) => isFromVault(origin));
    const origins = leaves.map(({ path, origin }) => valueOrigin(path, origin));
    return key === undefined ? origins : origins.filter((origin) => `${origin.key}.`.startsWith(`${key}.`));
  }

  /** Where the value of this key came from, or the value that it is a part of. */
  explain(key: string): VaultValueOrigin | undefined {
    const found = this.#loaded.tree.resolve(key);
    const origin = found && originInside(found.leaf, found.inside);
    if (!found || !origin || !isFromVault(origin)) return undefined;
    return valueOrigin(origin === found.leaf.origin ? found.leaf.path : key.split('.'), origin);
  }

  /** Whether the configuration has a value in this place. */
  has(path: readonly string[]): boolean {
    return this.#loaded.written.leaf(path) !== undefined;
  }

  /** Whether this text is in the configuration in this place, or in a plain value around it. */
  holds(path: readonly string[], text: string): boolean {
    return path.some((_, index) => {
      const leaf = this.#loaded.written.leaf(path.slice(0, index + 1));
      return leaf !== undefined && plainAt(leaf.value, path.slice(index + 1)) === text;
    });
  }

  /**
   * What `ConfigModule` has made, with the values of this configuration over it. Where both have an object, it is the one of
   * this configuration, which stays current.
   *
   * @param path where it goes
   * @throws VaultInvalidOptionError when keys would be lost
   */
  unite(path: readonly string[], made: unknown): unknown {
    const inner: unknown = path.length === 0 ? this.#values : plainAt(this.#values, path);
    if (inner === undefined || inner === made) return made;
    if (path.length > 0 && this.#loaded.written.leaf(path) !== undefined) {
      const lost = pathsOnlyIn(made, inner, path);
      if (lost.length === 0) return inner;
      throw new VaultInvalidOptionError(
        `${quoted(path.join('.'))} is made twice: in Vault it is one value, which replaces what a factory in "load" of ConfigModule has made, and these keys would be lost: ${formatList(lost.map((at) => quoted(at.join('.'))))}. Read the secret with "as: ${quoted(path.join('.'))}", so that both are merged key by key, add the keys in Vault, or rename one of the two.`,
      );
    }
    if (isPlainObject(made)) {
      const united = path.length === 0 ? made : (inner as JsonObject);
      const both = Object.keys(made).map((key) => [key, this.unite([...path, key], made[key])] as const);
      for (const [key, value] of both) if (Object.isExtensible(united) && united[key] !== value) united[key] = value;
      return united;
    }
    if (typeof made !== 'object' || made === null) return inner;
    throw new VaultInvalidOptionError(
      `"${printable(path.join('.'))}" is made twice: from Vault, and by a factory in "load" of ConfigModule as an instance of a class, whose keys would be lost: ${formatList(Object.keys(made).map((key) => JSON.stringify(key)))}. Return a plain object from the factory, or give the configuration namespace another name.`,
    );
  }

  /** The object for `ConfigModule`. Its containers stay the same for as long as the application runs. */
  get values(): JsonObject {
    return this.#values;
  }

  /** Writes the values into the object that the application's `ConfigService` reads from; later changes go there too. */
  connect(host: JsonObject): void {
    this.#writer ??= new ConfigWriter(host, this.#values);
    this.reapply();
  }

  /** Writes the values there once more, over what others have written meanwhile. */
  reapply(): void {
    this.#writer?.fill(this.#loaded.written);
  }

  /** Sets the `ConfigService` whose listeners are notified of changes. */
  notifyThrough(config: ConfigService): void {
    this.#writer?.notifyThrough(config);
  }

  /** All providers that the application was booted with are there. */
  start(): void {
    this.#started = true;
  }

  /** Why values must not be applied: a namespace that this application has is not among them. */
  refusalOf({ failedFeatures }: Configuration): VaultError | undefined {
    return [...failedFeatures].find(([name]) => this.#provided.has(name))?.[1];
  }

  /**
   * Namespaces that could not be read at boot.
   *
   * @param definitions those that features of this application provide
   * @throws VaultInvalidOptionError when another one has the name of one of them
   */
  failuresOf(definitions: Iterable<NamespaceDefinition>): VaultError[] {
    for (const definition of definitions) this.#plans(definition);
    return failuresOf(definitions, this.#loaded.failedFeatures);
  }

  /**
   * The values of a namespace, read now when it was not known at boot: a module that is loaded later brings such. Modules
   * that are loaded at the same time share the read.
   *
   * @throws VaultConfigurationError when it cannot be read or does not fit its schema, VaultInvalidOptionError when
   *   another one has its name
   */
  async provide(definition: NamespaceDefinition): Promise<object> {
    const planned = this.#plans(definition);
    const failure = this.#loaded.failedFeatures.get(definition.name);
    // What failed at boot may be there by the time a module is loaded later.
    if (failure && !this.#started) throw failure;
    if (failure || !planned) {
      const adding =
        this.#adding.get(definition) ?? this.#add(definition).finally(() => this.#adding.delete(definition));
      this.#adding.set(definition, adding);
      await adding;
    }
    this.#provided.add(definition.name);
    return this.show(definition);
  }

  /** The live object of a namespace, which its own function returns from now on. */
  show(definition: NamespaceDefinition): object {
    definition.current = containerAt(this.#values, definition.name.split('.'));
    return definition.current;
  }

  /**
   * Assembles a new configuration and applies it, outputs included, as one step: in any turn of the event loop, all values,
   * files and variables are of one configuration. When another one was applied meanwhile, it is assembled again.
   *
   * @param assemble gets the present configuration; may return `undefined` to leave it
   * @returns the change, if there is one
   * @throws what `assemble` throws; VaultConfigurationError if a namespace of this application could not be loaded, and the
   *   errors of outputs. Nothing has changed then
   */
  async replace(
    assemble: (
      present: Configuration,
    ) => Promise<{ readonly next: Configuration; readonly added?: ConfigLayer } | undefined>,
  ): Promise<VaultConfigChange | undefined> {
    for (;;) {
      const { plan } = this.loader;
      const present = this.#loaded;
      const assembled = await assemble(present);
      if (!assembled) return undefined;
      const { next, added } = assembled;
      const refusal = this.refusalOf(next);
      if (refusal) throw refusal;
      const staged = await this.#outputs.prepare(next);
      if (this.#closed) {
        staged.discard();
        return undefined;
      }
      // Assembled without a namespace that was added meanwhile, it would remove that again.
      if (this.loader.plan !== plan || this.#loaded !== present) {
        staged.discard();
        continue;
      }
      staged.commit();
      if (added) this.loader.add(added);
      return this.apply(next);
    }
  }

  /** Replaces the values, without outputs. @returns what has changed; `undefined` when nothing has */
  apply(loaded: Configuration): VaultConfigChange | undefined {
    const before = this.#loaded;
    this.#loaded = loaded;
    const changed = before.written.diff(loaded.written);
    if (changed.length === 0) return undefined;
    const change = describeChange(changed, before.reads, loaded.reads);
    this.#writer?.write(
      changed.map(({ path, before: was, after }): ConfigWrite => {
        return { path, oldValue: was?.value, newValue: after && copyPlain(after.value) };
      }),
    );
    this.#changes.next(change);
    return change;
  }

  close(): void {
    this.#closed = true;
    this.#changes.complete();
  }

  async #add(definition: NamespaceDefinition): Promise<void> {
    const { name } = definition;
    const layer = { ...namespaceLayer(definition, this.loader.plan.environment), feature: name };
    const found = await this.loader.readLayer(layer);
    await this.replace(async (present) => {
      const planned = this.#plans(definition);
      const loader = planned ? this.loader : this.loader.including(layer);
      const reads = new SecretReads(present.reads);
      for (const [address, read] of found) reads.set(address, newerRead(reads.get(address), read));
      const next = await loader.assemble(reads, { before: present, added: layer });
      const failure = next.failedFeatures.get(name);
      if (failure) throw failure;
      return planned ? { next } : { next, added: layer };
    });
  }

  #plans(definition: NamespaceDefinition): boolean {
    const known = this.loader.plan.layers.find(({ namespace }) => namespace?.name === definition.name)?.namespace;
    if (known) assertSameNamespace(definition, known);
    return known !== undefined;
  }
}

/** Values that an object has and another value has no place for. */
function pathsOnlyIn(made: unknown, other: unknown, path: readonly string[]): (readonly string[])[] {
  // An instance of a class has keys too; those of a list or a buffer are its one value.
  if (typeof made !== 'object' || made === null || Array.isArray(made) || ArrayBuffer.isView(made)) return [];
  if (path.length > MAX_NESTING) return [];
  return Object.entries(Object.getOwnPropertyDescriptors(made)).flatMap(([key, property]) => {
    const at = [...path, key];
    // A getter of the application may throw, and is not called.
    if (!property.enumerable || ('value' in property && property.value === undefined)) return [];
    if (!isPlainObject(other) || !Object.hasOwn(other, key)) return [at];
    return pathsOnlyIn(property.value, other[key], at);
  });
}
