import type { ConfigService } from '@nestjs/config';
import type { JsonObject } from '../client/response.js';
import { containerAt } from './configuration.js';

/** One value to write; `undefined` takes the key away. @internal */
export interface ConfigWrite {
  readonly path: readonly string[];
  readonly oldValue: unknown;
  readonly newValue: unknown;
}

/** What is used of `ConfigService` beyond its public methods; a test pins it on every supported version. */
interface ConfigServiceInside {
  readonly internalConfig: JsonObject;
  readonly _changes$?: { next(event: { path: string; oldValue: unknown; newValue: unknown }): void };
}

/**
 * The one place that writes into a running `ConfigService`.
 *
 * `ConfigService.set(key, value)` is never called: it copies the value into `process.env`. And it tells its listeners
 * after each single key, when the others still have their old values. Here everything is written first, and told then.
 * @internal
 */
export class ConfigWriter {
  readonly #config: ConfigServiceInside;

  constructor(config: ConfigService) {
    this.#config = config as unknown as ConfigServiceInside;
  }

  /**
   * Writes into the objects handed out at boot, so that whoever holds one sees the new values. A key whose value the
   * application has replaced by one of its own is left to it.
   *
   * @param values the object that was merged into `ConfigService` at boot
   */
  write(writes: readonly ConfigWrite[], values: JsonObject): void {
    const host = this.#config.internalConfig;
    for (const write of writes) {
      const { path } = write;
      const key = path[path.length - 1] as string;
      const own = containerAt(values, path.slice(0, -1));
      const inHost = path.length === 1 ? host : readContainer(host, path.slice(0, -1));
      const ours = own[key];
      if (inHost && inHost !== own && Object.is(inHost[key], ours)) put(inHost, key, write.newValue);
      put(own, key, write.newValue);
      // A container that is new since boot is not known to the host yet.
      if (!inHost && path.length > 1 && !Object.hasOwn(host, path[0] as string)) {
        host[path[0] as string] = values[path[0] as string];
      }
    }
    for (const { path, oldValue, newValue } of writes) {
      this.#config._changes$?.next({ path: path.join('.'), oldValue, newValue });
    }
  }
}

function put(container: JsonObject, key: string, value: unknown): void {
  if (value === undefined) delete container[key];
  else container[key] = value;
}

function readContainer(host: JsonObject, path: readonly string[]): JsonObject | undefined {
  let container: unknown = host;
  for (const part of path) {
    if (typeof container !== 'object' || container === null || !Object.hasOwn(container, part)) return undefined;
    container = (container as JsonObject)[part];
  }
  return typeof container === 'object' && container !== null ? (container as JsonObject) : undefined;
}
