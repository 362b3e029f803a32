import type { StandardSchema } from './standard-schema.js';
import type { ResolvedSource } from './vault-source.js';

/** Sources that are merged and validated together. @internal */
export interface ConfigLayer {
  /** How errors call it: the option it was given in, or the name of the namespace. */
  readonly option: string;
  /** Containers its values go into, outermost first; empty for the top level. */
  readonly path: readonly string[];
  /** In ascending precedence. */
  readonly sources: readonly ResolvedSource[];
  readonly schema?: StandardSchema | undefined;
  /** Whether it is a failure if none of its sources exists. */
  readonly atLeastOne?: boolean;
  /** Name of a namespace that only `forFeature` asks for, so that not every application needs it. */
  readonly feature?: string;
}

/** All that is read and how it is put together, in ascending precedence. @internal */
export interface ConfigPlan {
  readonly layers: readonly ConfigLayer[];
  /** Validates the whole once it is put together. */
  readonly schema?: StandardSchema | undefined;
}
