import { ConfigService } from '@nestjs/config';
import type { JsonObject } from '../client/response.js';
import { plainAt } from './plain.js';
import { VALIDATED_ENVIRONMENT as VALIDATED } from './reserved-keys.js';

/**
 * Before @nestjs/config 4, `ConfigService` asks the environment before it asks its own values: a variable of the same name
 * would silently win over a secret. There the values of these names show where it looks before the environment, also when
 * the application validates its variables and so fills that place itself. They are those of the host at any time, which
 * `ConfigService.set` writes to as well.
 * @internal
 */
export class EnvironmentShadow {
  readonly #host: JsonObject;
  // A variable with dots in its name passes for the value at that path.
  readonly #names = new Set<string>(Object.keys(process.env).filter((name) => name.includes('.')));
  #validated: JsonObject | undefined;
  #shown: JsonObject = {};

  /** Whether variables win over values in this version of `ConfigService`. */
  static isNeeded(): boolean {
    const [name] = Object.keys(process.env).filter((key) => /^\w+$/.test(key) && process.env[key] !== '');
    return name !== undefined && new ConfigService({ [name]: EnvironmentShadow }).get(name) !== EnvironmentShadow;
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
