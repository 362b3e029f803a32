import type { JsonObject } from '../client/response.js';
import { isJsonObject } from '../client/response.js';
import type { Kv2Secret } from '../engines/kv2.types.js';
import type { VaultError } from '../errors/index.js';
import { VaultInvalidOptionError, VaultNotFoundError } from '../errors/index.js';
import type { LoadedConfiguration, VaultValueOrigin } from './configuration.js';
import type { ResolvedSource } from './vault-source.js';
import { isReservedKey } from './vault-source.js';

/** A source with what was read from it; `undefined` for an optional one that is absent. @internal */
export interface ReadSource {
  readonly source: ResolvedSource;
  readonly secret: Kv2Secret<JsonObject> | undefined;
}

/**
 * Merges secrets into one configuration: later sources win, key by key. A value is replaced as a whole, objects
 * included; only the containers that `as` makes are merged.
 *
 * @returns the configuration, and every key that was missing or refused
 * @internal
 */
export function mergeSecrets(read: readonly ReadSource[]): LoadedConfiguration & { readonly failures: VaultError[] } {
  const values: JsonObject = {};
  const origins = new Map<string, VaultValueOrigin>();
  const failures: VaultError[] = [];
  const loadedAt = new Date();

  for (const { source, secret } of read) {
    if (!secret) continue;
    const { mountPath, secretPath } = source;
    const path = `${mountPath}/data/${secretPath}`;
    const reserved = reservedKeyIn(secret.data);
    if (reserved !== undefined) {
      failures.push(
        new VaultInvalidOptionError(
          `Secret "${secretPath}" in mount "${mountPath}" has a key called "${reserved}", which no configuration may have. Rename it in Vault.`,
          { path, mountPath },
        ),
      );
      continue;
    }
    const container = containerAt(values, source.as);
    for (const key of source.keys ?? Object.keys(secret.data)) {
      if (!Object.hasOwn(secret.data, key)) {
        failures.push(
          new VaultNotFoundError(
            `Secret "${secretPath}" in mount "${mountPath}" (version ${secret.version}) has no key "${key}". Add it, or take it out of "keys".`,
            { path, mountPath },
          ),
        );
        continue;
      }
      container[key] = secret.data[key];
      const full = source.as === undefined ? key : `${source.as}.${key}`;
      origins.set(full, {
        key: full,
        mountPath,
        secretPath,
        version: secret.version,
        createdTime: secret.createdTime,
        loadedAt,
      });
    }
  }
  return { values, origins, failures };
}

function containerAt(values: JsonObject, as: string | undefined): JsonObject {
  let container = values;
  for (const part of as?.split('.') ?? []) {
    const existing = container[part];
    // A copy, so that a secret's own object is never written into.
    const next = Object.hasOwn(container, part) && isJsonObject(existing) ? { ...existing } : {};
    container[part] = next;
    container = next;
  }
  return container;
}

/** Looks through the whole secret, without recursion: a hostile one may be nested deeper than the stack. */
function reservedKeyIn(data: JsonObject): string | undefined {
  const queue: unknown[] = [data];
  while (queue.length > 0) {
    const value = queue.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const key of Object.keys(value)) {
      if (isReservedKey(key)) return key;
      queue.push((value as JsonObject)[key]);
    }
  }
  return undefined;
}
