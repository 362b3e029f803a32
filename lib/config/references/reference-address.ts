import { encodePath } from '../../client/path.js';
import type { SecretAddress } from '../sources/read-secrets.js';
import type { VaultReference } from './reference-syntax.js';

/**
 * Tells mount and path apart. A known mount at the beginning is the mount; else whatever stands before the first `data/`;
 * else the first segment. One `data/` behind the mount belongs to the API and is taken away.
 *
 * @throws VaultInvalidPathError
 * @internal
 */
export function addressOf({ path, version }: VaultReference, mounts: readonly string[]): SecretAddress {
  encodePath(path, 'its path');
  const known = mounts.find((mount) => path.startsWith(`${mount}/`));
  const data = path.indexOf('/data/');
  const mountPath = known ?? path.slice(0, data > 0 ? data : path.indexOf('/'));
  const rest = path.slice(mountPath.length + 1);
  const secretPath = rest.startsWith('data/') ? rest.slice('data/'.length) : rest;
  return { mountPath, secretPath, ...(version !== undefined && { version }) };
}
