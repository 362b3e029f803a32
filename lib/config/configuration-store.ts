import type { ConfigService } from '@nestjs/config';
import type { Observable } from 'rxjs';
import { Subject } from 'rxjs';
import type { JsonObject } from '../client/response.js';
import type { VaultError } from '../errors/index.js';
import type { ConfigurationLoader } from './configuration-loader.js';
import type { LoadedConfiguration } from './configuration.js';
import { containerAt, entryId, originInside, valuesOf } from './configuration.js';
import type { VaultConfigChange } from './refresh/config-change.js';
import { changedEntries, describeChange } from './refresh/changed-entries.js';
import type { NamespaceDefinition } from './namespaces/config-namespace.js';
import { failuresOf, refuseNamesake } from './namespaces/config-namespace.js';
import type { ConfigWrite } from './config-writer.js';
import { ConfigWriter } from './config-writer.js';
import { namespaceLayer } from './namespaces/namespace-layer.js';
import { GuardedObservable } from '../observability/guarded-observable.js';
import { copyPlain, isPlainObject, MAX_NESTING, plainAt } from './plain.js';
import { printable, quoted, shortList } from '../errors/printable.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { SecretReads } from './sources/read-secrets.js';
import { laterRead } from './sources/read-secrets.js';
import type { VaultValueOrigin } from './origins/value-origin.js';
import { isFromVault, valueOrigin } from './origins/value-origin.js';

/**
 * The configuration of one application: the values it got at boot, kept current.
 * @internal
 */
export class ConfigurationStore {
  // Private fields: this object is a provider, and whatever inspects those must not come across values.
  readonly #values: JsonObject;
  readonly #changes = new Subject<VaultConfigChange>();
  /** Every change, after it has been applied. What a listener throws is logged and harms nobody else. */
  readonly changes$: Observable<VaultConfigChange> = new GuardedObservable('changes$', (subscriber) =>
    this.#changes.subscribe(subscriber),
  );
  /** Namespaces of features that this application has, by name. */
  readonly #provided = new Set<string>();
  readonly #adding = new Map<NamespaceDefinition, Promise<void>>();
  #started = false;
  #loaded: LoadedConfiguration;
  #writer: ConfigWriter | undefined;

  constructor(
    readonly loader: ConfigurationLoader,
    loaded: LoadedConfiguration,
  ) {
    this.#loaded = loaded;
    this.#values = valuesOf(loaded.entries);
  }

  /** What was read last, and what was made of it. */
  get loaded(): LoadedConfiguration {
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
    const entries = [...this.#loaded.complete.values()].filter(({ origin }) => isFromVault(origin));
    const origins = entries.map(({ path, origin }) => valueOrigin(path, origin));
    return key === undefined ? origins : origins.filter((origin) => `${origin.key}.`.startsWith(`${key}.`));
  }

  /** Where the value of this key came from, or the value that it is a part of. */
  explain(key: string): VaultValueOrigin | undefined {
    const { complete: entries } = this.#loaded;
    const names = key.split('.');
    // As `ConfigService` looks: a key of that very name, then what its dots lead to.
    let [entry, inside] = [entries.get(entryId([key])), [] as string[]];
    for (let length = 1; !entry && length <= names.length; length++) {
      const around = entries.get(entryId(names.slice(0, length)));
      inside = names.slice(length);
      if (around && plainAt(around.value, inside) !== undefined) entry = around;
    }
    // A key with dots in a container, which only `origins` calls so.
    entry ??= [...entries.values()].find(({ path }) => path.join('.') === key);
    const origin = entry && originInside(entry, inside);
    if (!entry || !origin || !isFromVault(origin)) return undefined;
    return valueOrigin(origin === entry.origin ? entry.path : names, origin);
  }

  /** Whether the configuration has a value in this place. */
  has(path: readonly string[]): boolean {
    return this.#loaded.entries.has(entryId(path));
  }

  /** Whether this text is in the configuration in this place, or in a plain value around it. */
  holds(path: readonly string[], text: string): boolean {
    return path.some((_, index) => {
      const entry = this.#loaded.entries.get(entryId(path.slice(0, index + 1)));
      return entry !== undefined && plainAt(entry.value, path.slice(index + 1)) === text;
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
    if (path.length > 0 && this.#loaded.entries.has(entryId(path))) {
      const lost = pathsOnlyIn(made, inner, path);
      if (lost.length === 0) return inner;
      throw new VaultInvalidOptionError(
        `${quoted(path.join('.'))} is made twice: in Vault it is one value, which replaces what a factory in "load" of ConfigModule has made, and these keys would be lost: ${shortList(lost.map((at) => quoted(at.join('.'))))}. Read the secret with "as: ${quoted(path.join('.'))}", so that both are merged key by key, add the keys in Vault, or rename one of the two.`,
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
      `"${printable(path.join('.'))}" is made twice: from Vault, and by a factory in "load" of ConfigModule as an instance of a class, whose keys would be lost: ${shortList(Object.keys(made).map((key) => JSON.stringify(key)))}. Return a plain object from the factory, or give the configuration namespace another name.`,
    );
  }

  /** The object for `ConfigModule`. Its containers stay the same for as long as the application runs. */
  get values(): JsonObject {
    return this.#values;
  }

  /** Writes the values into the object that the application's `ConfigService` reads from; later changes go there too. */
  connect(host: JsonObject): void {
    this.#writer ??= new ConfigWriter(host, this.#values);
    this.insist();
  }

  /** Writes the values there once more, over what others have written meanwhile. */
  insist(): void {
    this.#writer?.fill(this.#loaded.entries);
  }

  /** From now on the listeners of this `ConfigService` are told of changes. */
  tell(config: ConfigService): void {
    this.#writer?.tell(config);
  }

  /** All providers that the application was booted with are there. */
  start(): void {
    this.#started = true;
  }

  /** Why values must not be applied: a namespace that this application has is not among them. */
  refusalOf({ failedFeatures }: LoadedConfiguration): VaultError | undefined {
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
   * Replaces the configuration as one step: nobody who reads in one turn of the event loop sees a part of it.
   *
   * @returns what has changed; `undefined` when nothing has
   */
  apply(loaded: LoadedConfiguration): VaultConfigChange | undefined {
    const before = this.#loaded;
    this.#loaded = loaded;
    const changed = changedEntries(before.entries, loaded.entries);
    const exportValues = () => this.loader.plan.exported?.write(valuesOf(loaded.entries), loaded.referring);
    if (changed.length === 0) {
      exportValues();
      return undefined;
    }
    const change = describeChange(changed, before.reads, loaded.reads);
    this.#writer?.write(
      changed.map(({ path, before: was, after }): ConfigWrite => {
        return { path, oldValue: was?.value, newValue: after && copyPlain(after.value) };
      }),
      exportValues,
    );
    this.#changes.next(change);
    return change;
  }

  close(): void {
    this.#changes.complete();
  }

  async #add(definition: NamespaceDefinition): Promise<void> {
    const { name } = definition;
    const layer = { ...namespaceLayer(definition, this.loader.plan.environment), feature: name };
    const found = await this.loader.readLayer(layer);
    for (;;) {
      const before = this.#loaded;
      const planned = this.#plans(definition);
      const loader = planned ? this.loader : this.loader.including(layer);
      const reads = new Map(before.reads);
      for (const [id, read] of found) reads.set(id, laterRead(reads.get(id), read));
      const loaded = await loader.assemble(reads, { before, added: layer });
      const failure = loaded.failedFeatures.get(name) ?? this.refusalOf(loaded);
      if (failure) throw failure;
      const files = await loader.plan.files.stage(loaded.files);
      // What has been applied meanwhile stays.
      if (this.#loaded !== before || this.#plans(definition) !== planned) {
        files.discard();
        continue;
      }
      files.commit();
      if (!planned) this.loader.add(layer);
      this.apply(loaded);
      return;
    }
  }

  #plans(definition: NamespaceDefinition): boolean {
    const known = this.loader.plan.layers.find(({ namespace }) => namespace?.name === definition.name)?.namespace;
    if (known) refuseNamesake(definition, known);
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
