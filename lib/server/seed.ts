import { encodePath } from '../client/path.js';
import { VaultTestServerError } from './server-error.js';
import type { AdminClient } from './admin-client.js';
import { mountKv2 } from './server-setup.js';

interface Mount {
  type: string;
  options?: { version?: string } | null;
}

/**
 * Writes secrets to KV mounts and creates missing mounts. See `VaultServer.seed()`.
 * @internal
 */
export async function seed(
  admin: AdminClient,
  secrets: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  token: string,
  timeoutMs: number,
): Promise<void> {
  const { body } = await admin.request('GET', 'sys/mounts', undefined, { token });
  const mounts = new Map(Object.entries((body as { data: Record<string, Mount> }).data));
  for (const [path, data] of Object.entries(secrets)) {
    encodePath(path, 'The path of a secret to seed');
    // Keys of sys/mounts end in a slash, so "secret-2/a" does not match "secret/".
    const matching = [...mounts.keys()].filter((mount) => path.startsWith(mount));
    const mountPath = matching.sort((a, b) => b.length - a.length)[0] ?? path.slice(0, path.indexOf('/') + 1);
    if (mountPath === '') {
      throw new VaultTestServerError(
        'usage',
        `seed() needs a mount and a name, as in "secret/my-app", not only "${path}".`,
      );
    }
    const name = encodePath(path.slice(mountPath.length), 'The name of a secret to seed');
    const mount = mounts.get(mountPath) ?? { type: 'kv', options: { version: '2' } };
    if (mount.type !== 'kv') {
      throw new VaultTestServerError(
        'usage',
        `seed() writes to KV mounts, but "${mountPath}" is of type ${mount.type}.`,
      );
    }
    const base = encodePath(mountPath.slice(0, -1), 'The mount of a secret to seed');
    if (!mounts.has(mountPath)) {
      await mountKv2(admin, base, token, timeoutMs);
      mounts.set(mountPath, mount);
    }
    if (mount.options?.version === '2') await admin.request('POST', `${base}/data/${name}`, { data }, { token });
    else await admin.request('POST', `${base}/${name}`, data, { token });
  }
}
