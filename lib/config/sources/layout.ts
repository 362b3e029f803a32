import type { Environment } from '../../options/env-file.js';
import type { Shape } from '../../options/check-options.js';
import { namespaceText, typeOf } from '../../options/check-options.js';
import { encodeMount, encodePath, encodeSegment } from '../../client/path.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { ConfigLayer } from '../plan.js';
import { expand, kvVersion } from './vault-source.js';
import type { ResolvedSource } from './vault-source.js';

/**
 * Shared and application secrets, each also by profile. Later ones override earlier ones, key by key: `shared`,
 * `shared/profile`, `application`, `application/profile`. Secrets that do not exist are skipped. Every string may
 * contain variables of the environment: `${NODE_ENV}`, `${APP:-my-app}`.
 * @publicApi
 */
export interface VaultLayoutOptions {
  /** Path of the application's own secrets. */
  readonly application: string;
  /**
   * Active profiles: a list or a comma-separated string. Later ones take precedence. Default: none.
   * @example '${NODE_ENV:-development}'
   */
  readonly profiles?: string | readonly string[];
  /** Path of the secret that several applications share; `false` for none. Default: `application`. */
  readonly shared?: string | false;
  /** Mount of the KV engine. Default: `secret`. */
  readonly mountPath?: string;
  /** Version of the KV engine, as for a source. */
  readonly kvVersion?: 1 | 2;
  /** Separator between path and profile. Default: `/`. */
  readonly separator?: string;
  /** Vault namespace to read from. Default: `namespace` of the module. */
  readonly namespace?: string;
  /** Whether all of the secrets may be missing. Default: `false`. */
  readonly optional?: boolean;
}

/** @internal */
export const LAYOUT_SHAPE = {
  application: typeOf('string'),
  profiles: (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((entry) => typeof entry === 'string'))
      ? undefined
      : 'a string or a list of strings',
  shared: (value) => (typeof value === 'string' || value === false ? undefined : 'a string, or false'),
  mountPath: typeOf('string'),
  kvVersion,
  separator: (value) =>
    typeof value === 'string' && /^[^\s\p{Cc}]+$/u.test(value)
      ? undefined
      : 'a string without spaces, such as "/" or ","',
  namespace: namespaceText,
  optional: typeOf('boolean'),
} satisfies Record<keyof VaultLayoutOptions, Shape[string]>;

const OPTION = 'config.layout';

/**
 * The layer a layout stands for.
 *
 * @throws VaultInvalidOptionError, VaultInvalidPathError naming the option
 * @internal
 */
export function resolveLayout(layout: VaultLayoutOptions, environment: Environment): ConfigLayer {
  const {
    shared = 'application',
    separator = '/',
    mountPath = 'secret',
    namespace,
    kvVersion: engine,
    optional = false,
  } = layout;
  if (layout.application === undefined) {
    throw new VaultInvalidOptionError(
      `"${OPTION}.application" is missing. Give the path of the application's secrets.`,
    );
  }
  const mount = expand(mountPath, environment, `${OPTION}.mountPath`);
  encodeMount(mount, `"${OPTION}.mountPath"`);
  const profiles = profilesOf(layout, environment);
  const bases = { ...(shared !== false && { shared }), application: layout.application };
  const sources = Object.entries(bases).flatMap(([name, text]) => {
    const option = `${OPTION}.${name}`;
    const base = expand(text, environment, option);
    return [base, ...profiles.map((profile) => base + separator + profile)].map((secretPath): ResolvedSource => {
      encodePath(secretPath, `"${option}"`);
      return {
        secretPath,
        mountPath: mount.replace(/\/$/, ''),
        optional: true,
        ...(engine !== undefined && { kvVersion: engine }),
        ...(namespace !== undefined && { namespace }),
      };
    });
  });
  return { option: OPTION, path: [], sources, atLeastOne: !optional };
}

function profilesOf({ profiles = [] }: VaultLayoutOptions, environment: Environment): string[] {
  const option = `${OPTION}.profiles`;
  const found = [profiles]
    .flat()
    .flatMap((text) => expand(text, environment, option).split(','))
    .map((profile) => profile.trim())
    .filter((profile) => profile !== '');
  for (const profile of found) encodeSegment(profile, `"${option}"`);
  return [...new Set(found)];
}
