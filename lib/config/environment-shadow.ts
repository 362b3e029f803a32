import { ConfigService } from '@nestjs/config';
import type { JsonObject } from '../client/response.js';
import { VALIDATED_ENVIRONMENT as VALIDATED } from './reserved-keys.js';

/**
 * Before @nestjs/config 4, `ConfigService` asks the environment before it asks its own values: a variable of the same name
 * would silently win over a secret. There the values of these keys are put where it looks before the environment, also when
 * the application validates its variables and so fills that place itself.
 * @internal
 */
export class EnvironmentShadow {
  #values: JsonObject = {};
  #validated: JsonObject | undefined;
  #merged: JsonObject = {};

  /** Whether variables win over values in this version of `ConfigService`. */
  static isNeeded(): boolean {
    const [name] = Object.keys(process.env).filter((key) => /^\w+$/.test(key) && process.env[key] !== '');
    return name !== undefined && new ConfigService({ [name]: EnvironmentShadow }).get(name) !== EnvironmentShadow;
  }

  /** From now on this host shows the values before those of the environment. */
  constructor(host: JsonObject) {
    this.#validated = host[VALIDATED] as JsonObject | undefined;
    const set = (validated: JsonObject) => {
      this.#validated = validated;
      this.#merge();
    };
    Object.defineProperty(host, VALIDATED, { configurable: true, get: () => this.#merged, set });
  }

  set(key: string, value: unknown): void {
    if (value === undefined) delete this.#values[key];
    else this.#values[key] = value;
    this.#merge();
  }

  #merge(): void {
    this.#merged = { ...this.#validated, ...this.#values };
  }
}
