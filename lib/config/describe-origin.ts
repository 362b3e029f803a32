import type { VaultValueOrigin } from './value-origin.js';

/** Where a value came from, in one line. @internal */
export function describeOrigin({ key, hides, ...origin }: VaultValueOrigin): string {
  const hidden = hides.map((other) => placeOf(other));
  return `${key}: ${placeOf(origin)}${hidden.length > 0 ? `; hides ${hidden.join(', ')}` : ''}`;
}

function placeOf({ mountPath, secretPath, version }: Omit<VaultValueOrigin, 'hides' | 'key'>): string {
  return `${mountPath}/${secretPath} version ${version}`;
}
