import { encodeMount } from '../../client/path.js';
import { isJsonObject } from '../../client/vault-request.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { VaultError } from '../../errors/index.js';
import { isVaultError } from '../../errors/index.js';

/**
 * What the server says about a mount:
 *
 * - `found`: `path` is where the engine is mounted, which may be above the path asked for
 * - `hidden`: 403; the mount does not exist, the token has no capability on it, or a proxy does not let the lookup through
 * - `missing`: 404, for example because the namespace does not exist
 * - `unknown`: the lookup itself failed
 *
 * @internal
 */
export type Mount =
  | { readonly state: 'found'; readonly path: string; readonly type: string; readonly kvVersion: 1 | 2 | undefined }
  | { readonly state: 'hidden' | 'missing' }
  | { readonly state: 'unknown'; readonly error: VaultError };

/**
 * Looks a mount up. Needs no policy of its own: the server lets a token see every mount on which it has any capability.
 *
 * @internal
 */
export async function describeMount(
  client: VaultClient,
  { mountPath, namespace }: { readonly mountPath: string; readonly namespace?: string },
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<Mount> {
  try {
    const { body, status } = await client.request({
      method: 'GET',
      path: `sys/internal/ui/mounts/${encodeMount(mountPath)}`,
      operation: `look up the mount ${JSON.stringify(mountPath)}`,
      accept: [403, 404],
      ...options,
      ...(namespace !== undefined && { namespace }),
    });
    if (status === 403) return { state: 'hidden' };
    const data = isJsonObject(body) && isJsonObject(body['data']) ? body['data'] : undefined;
    if (status !== 200 || !data) return { state: 'missing' };
    const { type, path, options: settings } = data;
    const isKv = type === 'kv' || type === 'generic';
    const version = isJsonObject(settings) && ['2', 2].includes(settings['version'] as string) ? 2 : 1;
    return {
      state: 'found',
      path: typeof path === 'string' ? path.replace(/\/$/, '') : mountPath,
      type: typeof type === 'string' ? type : 'unknown',
      kvVersion: isKv ? version : undefined,
    };
  } catch (error) {
    if (isVaultError(error)) return { state: 'unknown', error };
    throw error;
  }
}

/**
 * A path that was copied from a policy or an API call carries the mount, `data/` or `v1/`, which the module adds itself.
 *
 * @returns the prefix, or an empty string
 * @internal
 */
export function misplacedPrefix({
  mountPath,
  secretPath,
}: {
  readonly mountPath: string;
  readonly secretPath: string;
}): string {
  const prefixes = [`v1/${mountPath}/data/`, `v1/${mountPath}/`, `${mountPath}/data/`, `${mountPath}/`, 'data/'];
  return prefixes.find((prefix) => secretPath.startsWith(prefix)) ?? '';
}

/** Whether such a path can hardly be meant. `shop/db` in the mount `shop` can. @internal */
export function hasDataPrefix(address: { readonly mountPath: string; readonly secretPath: string }): boolean {
  const prefix = misplacedPrefix(address);
  return prefix.endsWith('data/') || prefix.startsWith('v1/');
}
