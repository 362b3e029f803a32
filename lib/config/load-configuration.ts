import type { JsonObject } from '../client/response.js';
import type { VaultClient } from '../client/vault-client.js';
import { Kv2Engine } from '../engines/kv2.engine.js';
import type { Kv2Secret } from '../engines/kv2.types.js';
import type { VaultError } from '../errors/index.js';
import { isVaultError, VaultConfigurationError, VaultNotFoundError } from '../errors/index.js';
import type { LoadedConfiguration } from './configuration.js';
import { explainFailure } from './explain-failure.js';
import type { ReadSource } from './merge-secrets.js';
import { mergeSecrets } from './merge-secrets.js';
import type { ResolvedSource } from './vault-source.js';

/**
 * Reads all sources at once, one request for each distinct secret, and merges them.
 *
 * @throws VaultConfigurationError listing every source that failed
 * @internal
 */
export async function loadConfiguration(
  client: VaultClient,
  sources: readonly ResolvedSource[],
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<LoadedConfiguration> {
  const reads = new Map<string, Promise<Kv2Secret<JsonObject>>>();
  const readOnce = (source: ResolvedSource): Promise<Kv2Secret<JsonObject>> => {
    const { namespace, mountPath, secretPath, version } = source;
    const id = JSON.stringify([namespace, mountPath, secretPath, version]);
    const call = { ...options, ...(namespace !== undefined && { namespace }) };
    const kv = new Kv2Engine(client, mountPath);
    const read =
      reads.get(id) ?? (version === undefined ? kv.read(secretPath, call) : kv.readVersion(secretPath, version, call));
    reads.set(id, read);
    return read;
  };

  const failures: VaultError[] = [];
  const read = await Promise.all(
    sources.map(async (source): Promise<ReadSource> => {
      try {
        return { source, secret: await readOnce(source) };
      } catch (error) {
        if (!isVaultError(error)) throw error;
        if (!(source.optional && isAbsent(error))) failures.push(await explainFailure(error, source, client, options));
        return { source, secret: undefined };
      }
    }),
  );
  const merged = mergeSecrets(read);
  failures.push(...merged.failures);
  if (failures.length > 0) {
    throw new VaultConfigurationError(
      `${failures.length} of ${sources.length} configuration source(s) in Vault could not be loaded:`,
      failures,
    );
  }
  return merged;
}

/** Only "nothing there" is forgiven: neither a deleted version nor a denial is the same as never having existed. */
function isAbsent(error: VaultError): boolean {
  return error instanceof VaultNotFoundError;
}
