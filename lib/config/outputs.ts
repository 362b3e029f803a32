import type { Configuration } from './configuration.js';
import { SecretFiles } from './files/secret-files.js';
import type { ConfigPlan } from './plan.js';
import { ExportedVariables } from './variables/exported-variables.js';

/** A prepared change of an output. @internal */
export interface StagedOutput {
  /** Applies it in the same turn of the event loop. Has no effect when it throws. */
  commit(): void;
  discard(): void;
}

/**
 * A place outside of this process's objects that has values of the configuration. Written in two phases, so that a
 * configuration is in all of its places or in none.
 * @internal
 */
export interface Output {
  /** Does everything that can fail or takes time. Has no effect until `commit()`. */
  prepare(configuration: Configuration): Promise<StagedOutput>;
  /** Removes what was written. Never throws. */
  close(): Promise<void>;
}

/**
 * The outputs of one boot: files and `process.env`.
 * @internal
 */
export class ConfigOutputs implements Output {
  readonly #files: SecretFiles;
  readonly #variables: ExportedVariables | undefined;

  constructor({ filesFolder, exports }: Pick<ConfigPlan, 'exports' | 'filesFolder'>) {
    this.#files = new SecretFiles(filesFolder);
    this.#variables = exports && new ExportedVariables(exports);
  }

  /** @throws VaultInvalidOptionError naming a file and the reason, VaultClosedError after `close()` */
  async prepare(configuration: Configuration): Promise<StagedOutput> {
    const files = await this.#files.prepare(configuration);
    return {
      commit: () => {
        files.commit();
        // Last, because it cannot fail: the configuration was assembled with a check of its variables.
        this.#variables?.write(configuration);
      },
      discard: () => files.discard(),
    };
  }

  /** Both phases at once, for a boot. @throws as `prepare()` */
  async write(configuration: Configuration): Promise<void> {
    const staged = await this.prepare(configuration);
    staged.commit();
    await this.#files.settled();
  }

  async close(): Promise<void> {
    await this.#files.close();
    this.#variables?.restore();
  }
}
