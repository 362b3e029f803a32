import type { Shape } from '../bootstrap/check-options.js';
import { checkOptions, headerText, is } from '../bootstrap/check-options.js';
import { encodeMount, encodePath } from '../client/path.js';
import { VaultInvalidOptionError } from '../errors/index.js';

/**
 * One secret whose keys become configuration.
 * @publicApi
 */
export interface VaultSourceOptions {
  /** Path as `bao kv get` takes it: without the mount and without `data/`. */
  readonly secretPath: string;
  /** Mount of the KV v2 engine. Default: `secret`. */
  readonly mountPath?: string;
  /** Read this version for ever, instead of the current one. */
  readonly version?: number;
  /** Put the keys under this one: with `as: 'database'`, `password` becomes `database.password`. */
  readonly as?: string;
  /** Take only these keys; each must be there. Default: all. */
  readonly keys?: readonly string[];
  /** `true` forgives an absent secret, and nothing else. Default: `false`. */
  readonly optional?: boolean;
  /** Namespace to read from. Default: the module's. */
  readonly namespace?: string;
}

/**
 * A source of configuration: a path in the mount `secret`, or the details.
 * @publicApi
 */
export type VaultSource = string | VaultSourceOptions;

/** A checked source. @internal */
export interface ResolvedSource extends VaultSourceOptions {
  readonly mountPath: string;
  readonly optional: boolean;
}

const SHAPE = {
  secretPath: is('string'),
  mountPath: is('string'),
  version: (value) => (Number.isInteger(value) && (value as number) > 0 ? undefined : 'a whole number from 1'),
  as: is('string'),
  keys: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((key) => typeof key === 'string' && key !== '')
      ? undefined
      : 'a list of key names, not an empty one',
  optional: is('boolean'),
  namespace: headerText,
} satisfies Record<keyof VaultSourceOptions, Shape[string]>;

/** @throws VaultInvalidOptionError, VaultInvalidPathError naming the entry @internal */
export function resolveSource(source: VaultSource, option: string): ResolvedSource {
  if (source === '' || source === null || (typeof source !== 'string' && typeof source !== 'object')) {
    throw new VaultInvalidOptionError(
      `"${option}" is ${source === '' ? 'empty' : 'not a source'}. Give a path such as "my-app", or { secretPath: "my-app" }.`,
    );
  }
  const given: VaultSourceOptions = typeof source === 'string' ? { secretPath: source } : source;
  checkOptions(given, SHAPE, option);
  encodePath(given.secretPath, `"${option}.secretPath"`);
  if (given.mountPath !== undefined) encodeMount(given.mountPath, `"${option}.mountPath"`);
  if (given.as !== undefined) checkKey(given.as, `"${option}.as"`);
  return { ...given, mountPath: (given.mountPath ?? 'secret').replace(/\/$/, ''), optional: given.optional ?? false };
}

/** Names that would reach into the machinery of JavaScript objects instead of naming a value. */
const RESERVED = ['__proto__', 'constructor', 'prototype'];

/** @internal */
export function isReservedKey(key: string): boolean {
  return RESERVED.includes(key);
}

function checkKey(key: string, option: string): void {
  if (key === '' || key.split('.').some((part) => part === '' || isReservedKey(part))) {
    throw new VaultInvalidOptionError(`${option} is ${JSON.stringify(key)}; it takes a key such as "database".`);
  }
}
