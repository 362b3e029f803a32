import { Logger } from '@nestjs/common';
import type { JsonObject } from '../client/vault-request.js';
import type { ConfigTree } from './config-tree.js';
import { containerAt } from './config-tree.js';
import { printable } from '../errors/format.js';
import { ConfigService } from '@nestjs/config';
import { plainAt } from './plain.js';
import { VALIDATED_ENVIRONMENT as VALIDATED } from './reserved-keys.js';

const logger = new Logger('VaultModule');

/** One value to write; `undefined` takes the key away. @internal */
export interface ConfigWrite {
  readonly path: readonly string[];
  readonly oldValue: unknown;
  readonly newValue: unknown;
}

/** The subject of `changes$`; a test pins it on every supported version. */
interface ConfigServiceInside {
  readonly _changes$?: { next(event: { path: string; oldValue: unknown; newValue: unknown }): void };
}

/**
 * The one place that writes into a `ConfigService`, by way of the host: the object it reads its values from.
 *
 * `ConfigService.set(key, value)` is never called: it copies the value into `process.env`. And it tells its listeners
 * after each single key, when the others still have their old values. Here everything is written first, and told then.
 * @internal
 */
export class ConfigWriter {
  readonly #host: JsonObject;
  /** The application's own values: what was merged into the host, whose containers are shared with it. */
  readonly #values: JsonObject;
  readonly #override: EnvironmentOverride | undefined;
  #config: ConfigServiceInside | undefined;

  constructor(host: JsonObject, values: JsonObject) {
    this.#host = host;
    this.#values = values;
    this.#override = EnvironmentOverride.isNeeded() ? new EnvironmentOverride(host) : undefined;
  }

  /** Puts the values into the host, also where something else has taken their place since. */
  fill(tree: ConfigTree): void {
    const [host, values, override] = [this.#host, this.#values, this.#override];
    for (const key of tree.names()) {
      const value = values[key];
      if (host[key] !== value) host[key] = value;
      // In this order: asking the environment costs more than everything else here.
      if (override && process.env[key] !== undefined) override.add(key);
    }
  }

  /** Sets the service whose listeners are notified of changes. */
  notifyThrough(config: ConfigService): void {
    this.#config = config as unknown as ConfigServiceInside;
  }

  /**
   * Writes into the objects handed out at boot, so that code that holds one sees the new values. A key whose value the
   * application has replaced by one of its own is left to it.
   */
  write(writes: readonly ConfigWrite[]): void {
    // What is gone goes first: something else may come to its place, or to the place it was a container of.
    for (const write of writes) if (write.newValue === undefined) this.#write(write);
    for (const write of writes) if (write.newValue !== undefined) this.#write(write);
    for (const { path, oldValue, newValue } of writes) {
      this.#config?._changes$?.next({ path: path.join('.'), oldValue, newValue });
    }
  }

  #write({ path, oldValue, newValue }: ConfigWrite): void {
    const key = path[path.length - 1] as string;
    const containers = path.slice(0, -1);
    this.#replaceFrozen(containers);
    const own = containerAt(this.#values, containers);
    const inHost = readContainer(this.#host, containers);
    const isOurs = inHost !== undefined && inHost !== own && Object.is(inHost[key], own[key]);
    // Below a container there is only one place, which `ConfigService.set` writes to as well.
    if (inHost === own && typeof own[key] !== 'object' && !Object.is(own[key], oldValue)) return;
    if (isOurs) put(inHost, key, newValue);
    put(own, key, newValue);
    const [top] = path as [string];
    if (containers.length === 0) {
      if (isOurs && this.#override && process.env[key] !== undefined) this.#override.add(key);
      return;
    }
    // A container that is new since boot is not known to the host yet.
    if (!Object.hasOwn(this.#host, top)) this.#host[top] = this.#values[top];
  }

  /** A container that the application has frozen cannot take new values; a copy of it can. */
  #replaceFrozen(path: readonly string[]): void {
    let around = this.#values;
    for (const [index, name] of path.entries()) {
      const container = around[name];
      if (typeof container !== 'object' || container === null) return;
      if (!Object.isExtensible(container)) {
        around[name] = { ...container };
        if (index === 0 && this.#host[name] === container) this.#host[name] = around[name];
        const key = printable(path.slice(0, index + 1).join('.'));
        logger.warn(
          `${key} was frozen by the application. ConfigService has its new values; who holds the object has not.`,
        );
      }
      around = around[name] as JsonObject;
    }
  }
}

/** Does nothing where the application has made a property read-only: the others must change all the same. */
function put(container: JsonObject, key: string, value: unknown): void {
  if (value === undefined) Reflect.deleteProperty(container, key);
  else Reflect.set(container, key, value);
}

function readContainer(host: JsonObject, path: readonly string[]): JsonObject | undefined {
  let container: unknown = host;
  for (const part of path) {
    if (typeof container !== 'object' || container === null || !Object.hasOwn(container, part)) return undefined;
    container = (container as JsonObject)[part];
  }
  return typeof container === 'object' && container !== null ? (container as JsonObject) : undefined;
}

/**
 * Before @nestjs/config 4, `ConfigService` asks the environment before it asks its own values: a variable of the same name
 * would silently win over a secret. There the values of these names show where it looks before the environment, also when
 * the application validates its variables and so fills that place itself. They are those of the host at any time, which
 * `ConfigService.set` writes to as well.
 * @internal
 */
export class EnvironmentOverride {
  readonly #host: JsonObject;
  // A variable with dots in its name passes for the value at that path.
  readonly #names = new Set<string>(Object.keys(process.env).filter((name) => name.includes('.')));
  #validated: JsonObject | undefined;
  #shown: JsonObject = {};

  /** Whether variables win over values in this version of `ConfigService`. */
  static isNeeded(): boolean {
    const [name] = Object.keys(process.env).filter((key) => /^\w+$/.test(key) && process.env[key] !== '');
    return name !== undefined && new ConfigService({ [name]: EnvironmentOverride }).get(name) !== EnvironmentOverride;
  }

  /** From now on this host shows its values before those of the environment. */
  constructor(host: JsonObject) {
    this.#host = host;
    const set = (validated: JsonObject | undefined) => {
      this.#validated = validated;
      this.#shown = { ...validated };
      this.#names.forEach((name) => this.#show(name));
    };
    set(host[VALIDATED] as JsonObject | undefined);
    Object.defineProperty(host, VALIDATED, { configurable: true, get: () => this.#shown, set });
  }

  /** A key of the host which is also a variable. */
  add(name: string): void {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    this.#show(name);
  }

  #show(name: string): void {
    const get = () => {
      const value = Object.hasOwn(this.#host, name) ? this.#host[name] : plainAt(this.#host, name.split('.'));
      return value === undefined ? this.#validated?.[name] : value;
    };
    Object.defineProperty(this.#shown, name, { configurable: true, enumerable: true, get });
  }
}
