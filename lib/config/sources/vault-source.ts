import type { Shape } from '../../options/check-options.js';
import { checkOptions, namespaceText, typeOf } from '../../options/check-options.js';
import type { Environment } from '../../options/env-file.js';
import { encodeMount, encodePath } from '../../client/path.js';
import { isJsonObject } from '../../client/vault-request.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import { isKeyPath } from '../reserved-keys.js';
import type { VaultSecretFile } from '../files/secret-file.options.js';
import { resolveFiles } from '../files/secret-file.options.js';

/**
 * A secret whose keys become configuration.
 * @publicApi
 */
export interface VaultSourceOptions {
  /**
   * Path as you would pass it to `bao kv get`: without the mount and without `data/`. It may contain variables of the
   * environment: `${APP:-my-app}/db`.
   */
  readonly secretPath: string;
  /** Mount of the KV engine. It may contain variables too. Default: `secret`. */
  readonly mountPath?: string;
  /** Version of the KV engine. Default: detected. `1` saves the requests that detect a KV v1 engine. */
  readonly kvVersion?: 1 | 2;
  /** Pins the secret to this version (at least 1). Default: the current version. */
  readonly version?: number;
  /**
   * Reads the secrets below `secretPath` instead of the one at it, and nests each under its name: with `secretPath:
   * 'shop'`, the key `password` of the secret `shop/db` becomes `db.password`. `direct` skips subfolders, `all`
   * includes them. Requires the policy capability `list`. At most 1,000 secrets in 16 levels of folders. Cannot be
   * combined with `version`, `keys`, `map`, `prefix`, `nest` and `files`.
   */
  readonly below?: 'direct' | 'all';
  /** Puts all values into a nested object: with `as: 'database'`, `password` becomes `database.password`. */
  readonly as?: string;
  /** Takes only these keys, and those that `map` names; each must exist. Default: all. */
  readonly keys?: readonly string[];
  /**
   * New names for keys, by their names in Vault; each must exist, and other keys keep their names. Or a function that
   * returns the new name, or `undefined` to leave the key out. Dots in a new name create nested objects:
   * `database.password`.
   */
  readonly map?: Readonly<Record<string, string>> | ((key: string) => string | undefined);
  /** Prepended to every name that does not come from `map`: with `DB_`, `PASSWORD` becomes `DB_PASSWORD`. */
  readonly prefix?: string;
  /**
   * Separator that splits flat names into nested objects: with `__`, `DB__MAX_POOL` becomes `db.maxPool`. Uppercase
   * names become camelCase. Names from `map` are not split.
   */
  readonly nest?: string;
  /** Keys whose values are also written to files, for libraries that need paths. */
  readonly files?: readonly (string | VaultSecretFile)[];
  /**
   * Also makes every value of this source available under its uppercase name: `database.password` as
   * `DATABASE_PASSWORD`.
   */
  readonly aliases?: 'SCREAMING_CASE';
  /**
   * Whether the secret may be missing: the KV engine says that it does not exist. Any other failure stops the boot: a
   * mount, Vault namespace or version that does not exist, and a denied, deleted or destroyed secret. Default:
   * `false`.
   */
  readonly optional?: boolean;
  /** Vault namespace to read from. Default: `namespace` of the module. */
  readonly namespace?: string;
  /** `false`: the values of this source stay as they were at boot, even if the secret changes. Default: `true`. */
  readonly refresh?: boolean;
}

/**
 * A source of configuration: a path in the mount `secret`, or the details.
 * @publicApi
 */
export type VaultSource = string | VaultSourceOptions;

/** A checked source. @internal */
export interface ResolvedSource extends VaultSourceOptions {
  readonly files?: readonly VaultSecretFile[];
  readonly mountPath: string;
  readonly optional: boolean;
}

/** @internal */
export const aliases = (value: unknown): string | undefined =>
  value === 'SCREAMING_CASE' ? undefined : '"SCREAMING_CASE"';

/** @internal */
export const kvVersion = (value: unknown): string | undefined => (value === 1 || value === 2 ? undefined : '1 or 2');

const SHAPE = {
  secretPath: typeOf('string'),
  mountPath: typeOf('string'),
  kvVersion,
  version: (value) => (Number.isInteger(value) && (value as number) > 0 ? undefined : 'a whole number from 1'),
  below: (value) => (value === 'direct' || value === 'all' ? undefined : '"direct" or "all"'),
  as: typeOf('string'),
  keys: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((key) => typeof key === 'string' && key !== '')
      ? undefined
      : 'a list of key names, not an empty one',
  map: (value) =>
    typeof value === 'function' ||
    (isJsonObject(value) && Object.values(value).every((name) => typeof name === 'string'))
      ? undefined
      : 'an object of names, or a function',
  prefix: (value) =>
    typeof value === 'string' && value !== '' && !value.includes('.')
      ? undefined
      : 'a string without dots, not empty (for a container there is "as")',
  nest: (value) => (typeof value === 'string' && value !== '' ? undefined : 'a string such as "__"'),
  files: (value) => (Array.isArray(value) ? undefined : 'a list'),
  aliases,
  optional: typeOf('boolean'),
  namespace: namespaceText,
  refresh: typeOf('boolean'),
} satisfies Record<keyof VaultSourceOptions, Shape[string]>;

/** Options that say something about one secret. */
const OF_ONE_SECRET = ['version', 'keys', 'map', 'prefix', 'nest', 'files'] as const;

/**
 * A source, checked, with its templates filled in.
 *
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the entry
 * @internal
 */
export function resolveSource(source: VaultSource, option: string, environment: Environment): ResolvedSource {
  if (typeof source === 'function') {
    throw new VaultInvalidOptionError(
      `"${option}" is a function, not a secret. Factories, those of registerAs too, go into "config.load"; what vaultConfig() makes stands in "config.sources" itself.`,
    );
  }
  if (source === '' || source === null || (typeof source !== 'string' && typeof source !== 'object')) {
    throw new VaultInvalidOptionError(
      `"${option}" is ${source === '' ? 'empty' : 'not a source'}. Give a path such as "my-app", or { secretPath: "my-app" }.`,
    );
  }
  const given: VaultSourceOptions = typeof source === 'string' ? { secretPath: source } : source;
  checkOptions(given, SHAPE, option);
  // A path that is missing altogether is refused by the check of paths.
  const secretPath = expand(given.secretPath ?? '', environment, `${option}.secretPath`);
  const mountPath = expand(given.mountPath ?? 'secret', environment, `${option}.mountPath`);
  encodePath(secretPath, `"${option}.secretPath"`);
  encodeMount(mountPath, `"${option}.mountPath"`);
  if (given.as !== undefined) checkKey(given.as, `"${option}.as"`);
  if (typeof given.map === 'object') {
    for (const [key, name] of Object.entries(given.map)) checkKey(name, `"${option}.map" of ${JSON.stringify(key)}`);
  }
  if (typeof given.map === 'function' && given.prefix !== undefined) {
    throw new VaultInvalidOptionError(
      `"${option}" has a "prefix" beside a function as "map". The function gives the whole name; take the prefix into it.`,
    );
  }
  if (given.kvVersion === 1 && given.version !== undefined) {
    throw new VaultInvalidOptionError(
      `"${option}" has a "version" beside "kvVersion: 1". KV version 1 keeps no versions: leave "version" out.`,
    );
  }
  const [stray] = given.below === undefined ? [] : OF_ONE_SECRET.filter((name) => given[name] !== undefined);
  if (stray !== undefined) {
    throw new VaultInvalidOptionError(
      `"${option}" has "${stray}" beside "below", which reads several secrets. Leave "${stray}" out, or give that secret a source of its own.`,
    );
  }
  const { files, ...rest } = given;
  return {
    ...rest,
    secretPath,
    mountPath: mountPath.replace(/\/$/, ''),
    optional: given.optional ?? false,
    ...(files && { files: resolveFiles(files, `${option}.files`) }),
  };
}

function checkKey(key: string, option: string): void {
  if (!isKeyPath(key)) {
    throw new VaultInvalidOptionError(`${option} is ${JSON.stringify(key)}; it takes a key such as "database".`);
  }
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;

/**
 * Replaces `${NAME}` and `${NAME:-default}` by variables of the environment. As in a shell, `:-` also stands in for a
 * variable that is empty. What the text becomes is checked where it is used: a value is not trusted more than an option.
 *
 * @throws VaultInvalidOptionError naming the variable that is not set, or for a `${` that is none of the two forms
 * @internal
 */
export function expand(text: string, environment: Environment, option: string): string {
  if (!text.includes('${')) return text;
  if (text.replace(VARIABLE, '').includes('${')) {
    throw new VaultInvalidOptionError(
      `"${option}" has a "\${" that starts no template. Write \${NAME} or \${NAME:-default}.`,
    );
  }
  return text.replace(VARIABLE, (_, name: string, fallback: string | undefined) => {
    const value = (Object.hasOwn(environment, name) ? environment[name] : undefined) || fallback;
    if (value !== undefined) return value;
    throw new VaultInvalidOptionError(
      `"${option}" takes its value from the variable ${name}, which is not set. Set it, or give a default: \${${name}:-default}.`,
    );
  });
}
