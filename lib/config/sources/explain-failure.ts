import { encodeMount } from '../../client/path.js';
import { isJsonObject } from '../../client/response.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { VaultError } from '../../errors/index.js';
import {
  VaultBadResponseError,
  VaultDeletedVersionError,
  VaultNotFoundError,
  VaultPermissionError,
} from '../../errors/index.js';
import type { SecretAddress } from './read-secrets.js';

/** What else can be done, in the words of whoever asked for the secret. @internal */
export interface OtherAdvice {
  /** If it is all right that there is nothing. */
  readonly forgive: string;
  /** If there is no mount. */
  readonly mount: string;
  /** If another version will do. */
  readonly version: string;
}

const OF_A_SOURCE: OtherAdvice = {
  forgive: 'mark the source "optional: true"',
  mount: 'check "mountPath"',
  version: 'correct "version" of the source, or leave it out',
};

/**
 * Adds to a failed read what its cause most likely is. The mount is asked about only now, after a failure: a source
 * that can be read costs one request and no other.
 *
 * @internal
 */
export async function explainFailure(
  error: VaultError,
  source: SecretAddress,
  client: VaultClient,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  other = OF_A_SOURCE,
): Promise<VaultError> {
  const onPath = adviceOnPath(source);
  // A token that may read one path is told of no other whether it exists.
  if (error instanceof VaultPermissionError) {
    const advice =
      onPath === '' ? 'Or mount or path are misspelt: the server says the same then.' : `More likely: ${onPath}`;
    return new VaultPermissionError(`${error.message} ${advice}`, { ...error, mountPath: source.mountPath });
  }
  if (error instanceof VaultDeletedVersionError && source.version !== undefined) {
    return new VaultDeletedVersionError(`${error.message} For another one, ${other.version}.`, error);
  }
  const advice = [onPath];
  if (error instanceof VaultNotFoundError || error instanceof VaultBadResponseError) {
    advice.push(adviceOnMount(source.mountPath, await describeMount(client, source, options), other));
  }
  const found = advice.filter((text) => text !== '');
  // Where path or mount are wrong, writing the secret there would not help.
  if (error instanceof VaultNotFoundError && found.length === 0) {
    const { mountPath, secretPath, version } = source;
    found.push(
      version === undefined
        ? `Write it with: bao kv put -mount=${mountPath} ${secretPath} KEY=value; or ${other.forgive}.`
        : `There is no version ${version}, or no such secret: "bao kv metadata get -mount=${mountPath} ${secretPath}" lists its versions. In the first case ${other.version}; or ${other.forgive}.`,
    );
  }
  if (found.length === 0) return error;
  const message = [error.message, ...found].join(' ');
  const details = { ...error, mountPath: source.mountPath };
  if (error instanceof VaultNotFoundError) return new VaultNotFoundError(message, details);
  if (error instanceof VaultBadResponseError) return new VaultBadResponseError(message, details);
  return error;
}

/** Paths copied from a policy or an API call carry the mount and `data/`, which are added here. */
function adviceOnPath({ secretPath, mountPath }: SecretAddress): string {
  for (const prefix of [`${mountPath}/data/`, `${mountPath}/`, 'data/']) {
    if (secretPath.startsWith(prefix)) {
      return `"${prefix}" is added by the module: write secretPath ${JSON.stringify(secretPath.slice(prefix.length))}.`;
    }
  }
  return '';
}

function adviceOnMount(
  mountPath: string,
  mount: { type: string; version: string } | 'absent' | 'unknown',
  other: OtherAdvice,
): string {
  if (mount === 'unknown') return '';
  if (mount === 'absent') {
    return `There is no secrets engine at "${mountPath}" that this token can see: ${other.mount} ("bao secrets list" shows the mounts) and the namespace.`;
  }
  if (mount.type !== 'kv' && mount.type !== 'generic') {
    return `"${mountPath}" is a secrets engine of type "${mount.type}", not KV: ${other.mount}.`;
  }
  return mount.version === '2'
    ? ''
    : `"${mountPath}" is a KV version 1 engine, and sources are read from version 2. Upgrade it with: bao kv enable-versioning ${mountPath}/. Or read it with vault.kv1(${JSON.stringify(mountPath)}).`;
}

async function describeMount(
  client: VaultClient,
  { mountPath, namespace }: SecretAddress,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<{ type: string; version: string } | 'absent' | 'unknown'> {
  try {
    const { body, status } = await client.request({
      method: 'GET',
      path: `sys/internal/ui/mounts/${encodeMount(mountPath)}`,
      accept: [403, 404],
      ...options,
      ...(namespace !== undefined && { namespace }),
    });
    if (status !== 200) return 'absent';
    const data = isJsonObject(body) && isJsonObject(body['data']) ? body['data'] : {};
    const version = isJsonObject(data['options']) ? String(data['options']['version']) : '1';
    return { type: String(data['type']), version };
  } catch {
    return 'unknown';
  }
}
