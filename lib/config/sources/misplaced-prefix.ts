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
