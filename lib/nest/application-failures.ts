import type { ModulesContainer } from '@nestjs/core';
import type { NamespaceDefinition } from '../config/namespaces/config-namespace.js';
import { providedNamespaces } from '../config/namespaces/feature.module.js';
import { summary } from '../config/sources/source-errors.js';
import type { VaultError } from '../errors/index.js';

/**
 * Why an application is rejected before any of its providers exists: what failed in each of its VaultModules.
 * @internal
 */
export class ApplicationFailures {
  static readonly #known = new WeakMap<ModulesContainer, ApplicationFailures>();
  readonly #errors: VaultError[] = [];
  readonly #closing: (() => Promise<void>)[] = [];
  #rejection: Promise<never> | undefined;
  #thrown: { readonly error: unknown } | undefined;

  /** @param namespaces that the features of the application provide */
  constructor(readonly namespaces: readonly NamespaceDefinition[]) {}

  static of(modules: ModulesContainer): ApplicationFailures {
    const known = this.#known.get(modules) ?? new ApplicationFailures(providedNamespaces(modules));
    this.#known.set(modules, known);
    return known;
  }

  get isEmpty(): boolean {
    return this.#errors.length === 0 && !this.#thrown;
  }

  /** @param find returns what has failed; what it throws instead is thrown as it is */
  collect(find: () => readonly VaultError[]): void {
    try {
      this.#errors.push(...find());
    } catch (error) {
      this.#thrown ??= { error };
    }
  }

  /** @param close is called, and waited for, before the error is thrown */
  onRejection(close: () => Promise<void>): void {
    this.#closing.push(close);
  }

  /** @throws VaultConfigurationError listing everything that failed, or what was thrown */
  reject(): Promise<never> {
    this.#rejection ??= this.#reject();
    return this.#rejection;
  }

  async #reject(): Promise<never> {
    await Promise.all(this.#closing.map((close) => close()));
    if (this.#thrown) throw this.#thrown.error;
    throw summary(this.#errors);
  }
}
