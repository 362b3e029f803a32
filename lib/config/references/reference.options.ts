import type { Shape } from '../../options/check-options.js';
import { checkOptions, typeOf } from '../../options/check-options.js';
import { encodeMount } from '../../client/path.js';
import { VaultInvalidOptionError } from '../../errors/index.js';

/**
 * How references such as `vault:secret/data/my-app/db#password` are resolved.
 * @publicApi
 */
export interface VaultReferenceOptions {
  /**
   * Mounts that contain a slash and that no source names. Otherwise, the mount of a reference without `data/` is its
   * first segment.
   */
  readonly mountPath?: string | readonly string[];
  /** Whether values of secrets may be references. Default: `false`. */
  readonly inSecrets?: boolean;
  /**
   * Variables and keys whose strings look like references but are not, including everything below them:
   * `['WORKER_TOKEN', 'worker.env']`. Any other such string is resolved or stops the boot. Default: none.
   */
  readonly literal?: readonly string[];
}

/** What the resolver goes by. @internal */
export interface ReferenceRules {
  /** Known mounts, the longest first. */
  readonly mounts: readonly string[];
  readonly inSecrets: boolean;
  readonly literal: readonly string[];
}

/** Variables that package managers and shells set: names of scripts (`npm run vault:dev`) and code. */
const FOREIGN = /^(npm_|BASH_FUNC_)/;

/** Whether texts with this key, or below it, are meant as they are. @internal */
export function isLiteral({ literal }: Pick<ReferenceRules, 'literal'>, path: readonly string[]): boolean {
  return FOREIGN.test(path[0] ?? '') || literal.some((key) => `${path.join('.')}.`.startsWith(`${key}.`));
}

const OPTION = 'config.references';

const SHAPE = {
  mountPath: (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
      ? undefined
      : 'a string or a list of strings',
  inSecrets: typeOf('boolean'),
  literal: (value) =>
    Array.isArray(value) && value.every((entry) => typeof entry === 'string' && entry !== '')
      ? undefined
      : 'a list of keys',
} satisfies Record<keyof VaultReferenceOptions, Shape[string]>;

/**
 * @param sourceMounts mounts that sources name
 * @returns `undefined` when references are switched off
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the option
 * @internal
 */
export function resolveReferenceRules(
  options: boolean | VaultReferenceOptions = true,
  sourceMounts: Iterable<string>,
): ReferenceRules | undefined {
  if (options === false) return undefined;
  if (options === null || !['boolean', 'object'].includes(typeof options)) {
    throw new VaultInvalidOptionError(`"${OPTION}" must be true, false or an object.`);
  }
  const given = options === true ? {} : options;
  checkOptions(given, SHAPE, OPTION);
  const named = [given.mountPath ?? []].flat();
  for (const mount of named) encodeMount(mount, `"${OPTION}.mountPath"`);
  const mounts = [...new Set(['secret', ...sourceMounts, ...named.map((mount) => mount.replace(/\/$/, ''))])];
  const { inSecrets = false, literal = [] } = given;
  return { mounts: mounts.sort((a, b) => b.length - a.length), inSecrets, literal };
}
