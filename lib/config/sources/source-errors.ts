import { inNamespace, suggestedCommand } from '../../client/suggested-command.js';
import type { VaultClient } from '../../client/vault-client.js';
import type { VaultAdvice, VaultError } from '../../errors/index.js';
import {
  VaultBadResponseError,
  VaultConfigurationError,
  VaultDeletedVersionError,
  VaultNotFoundError,
  VaultPermissionError,
} from '../../errors/index.js';
import { misplacedPrefix } from './mount.js';
import type { Mount } from './mount.js';
import type { FailedRead, SecretAddress } from './read-secrets.js';
import { readSecrets } from './read-secrets.js';
import type { ConfigLayer, ConfigPlan } from '../plan.js';
import type { FactoryValues } from './factories.js';

/** What else can be done, in the words of the caller that asked for the secret. @internal */
export interface OtherAdvice {
  /** If it is all right that there is nothing. */
  readonly forgive: string;
  /** If the mount does not exist. */
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
 * Adds to a failed read what its cause most likely is.
 *
 * @internal
 */
export async function explainFailure(
  { error, mount, failedPath }: FailedRead,
  address: SecretAddress,
  client: VaultClient,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  other = OF_A_SOURCE,
): Promise<VaultError> {
  const { below, ...source } = failedPath === undefined ? address : { ...address, secretPath: failedPath };
  const { mountPath, secretPath, version } = source;
  const namespace = source.namespace ?? error.namespace;
  const command = (words: string, ...names: string[]) =>
    `"${suggestedCommand(words, { namespace, flags: [`-mount=${mountPath}`], names: [secretPath, ...names] })}"`;
  // The namespace is the cause, and nothing else is known.
  if (error.reason === 'namespace') return error;
  const onPath = adviceOnPath(source);
  // A token that may read one path is not told whether another exists.
  if (error instanceof VaultPermissionError) {
    const advice: VaultAdvice[] = [
      onPath === ''
        ? { id: 'check-path', text: 'The server gives the same response when the mount or the path is misspelled.' }
        : { id: 'remove-path-prefix', text: `More likely: ${onPath}` },
    ];
    if (below !== undefined) advice.push({ id: 'add-policy-below', text: policyBelow(address, namespace, mount) });
    return error.as(VaultPermissionError, { mountPath }).withAdvice(...advice);
  }
  if (error instanceof VaultDeletedVersionError) {
    const undelete = suggestedCommand('kv undelete', {
      namespace,
      flags: [`-mount=${mountPath}`, `-versions=${version ?? error.version ?? 1}`],
      names: [secretPath],
    });
    const advice: VaultAdvice[] = [];
    if (!error.destroyed) advice.push({ id: 'undelete-with-command', text: `Undelete it with "${undelete}".` });
    if (below !== undefined) {
      const text = `To leave it out, remove it with ${command('kv metadata delete')}.`;
      advice.push({ id: 'delete-metadata', text });
    }
    if (version !== undefined) advice.push({ id: 'change-version', text: `For another one, ${other.version}.` });
    return error.withAdvice(...advice);
  }
  let found: VaultAdvice[] = onPath === '' ? [] : [{ id: 'remove-path-prefix', text: onPath }];
  if (error instanceof VaultNotFoundError || error instanceof VaultBadResponseError) {
    const onMount = adviceOnMount(source, namespace, mount, other);
    if (onMount !== '') found.push({ id: 'check-mount-of-source', text: onMount });
  }
  // Where the path or the mount is wrong, writing the secret there would not help.
  if (error instanceof VaultNotFoundError && found.length === 0) {
    const key = below === undefined ? await keyInParent(source, client, options) : undefined;
    if (key !== undefined) found.push({ id: 'read-parent', text: key });
    else if (!error.nothingStored) found = [];
    else if (below !== undefined) found.push({ id: 'write-secret', text: `Write one, or ${other.forgive}.` });
    else if (version === undefined) {
      found.push({ id: 'write-secret', text: `Write it with ${command('kv put', 'KEY=value')}, or ${other.forgive}.` });
    } else {
      found.push({
        id: 'change-version',
        text: `There is no version ${version}, or no such secret: ${command('kv metadata get')} lists the versions. Write the secret, or ${other.version}.`,
      });
    }
  }
  if (found.length === 0) return error;
  const withMount =
    error instanceof VaultNotFoundError
      ? error.as(VaultNotFoundError, { mountPath })
      : error instanceof VaultBadResponseError
        ? error.as(VaultBadResponseError, { mountPath })
        : undefined;
  return withMount?.withAdvice(...found) ?? error;
}

function policyBelow(
  { mountPath, secretPath, kvVersion, below }: SecretAddress,
  namespace: string | undefined,
  mount: Mount | undefined,
): string {
  const isV1 = (kvVersion ?? (mount?.state === 'found' ? mount.kvVersion : undefined)) === 1;
  const [listed, read] = isV1 ? ['', ''] : ['metadata/', 'data/'];
  const rule = (part: string, end: string, capabilities: string) =>
    `path ${JSON.stringify(`${mountPath}/${part}${secretPath}/${end}`)} { capabilities = [${capabilities}] }`;
  const rules = isV1
    ? [rule('', '*', '"list", "read"')]
    : [rule(listed, below === 'direct' ? '' : '*', '"list"'), rule(read, '*', '"read"')];
  return `"below" needs${inNamespace(namespace)}: ${rules.join(' ')}`;
}

function adviceOnPath(address: SecretAddress): string {
  const prefix = misplacedPrefix(address);
  const path = address.secretPath.slice(prefix.length);
  return prefix === '' ? '' : `"${prefix}" is added by the module: write secretPath ${JSON.stringify(path)}.`;
}

/** `team/db/PASSWORD`, where the secret `team/db` has the key `PASSWORD`. */
async function keyInParent(
  source: SecretAddress,
  client: VaultClient,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
): Promise<string | undefined> {
  const slash = source.secretPath.lastIndexOf('/');
  if (slash < 1 || source.version !== undefined) return undefined;
  const parent = { ...source, secretPath: source.secretPath.slice(0, slash) };
  const key = source.secretPath.slice(slash + 1);
  const read = (await readSecrets(client, [parent], options)).get(parent);
  if (!read?.secret || !Object.hasOwn(read.secret.data, key)) return undefined;
  return `The secret ${JSON.stringify(parent.secretPath)} has a key ${JSON.stringify(key)}: read that secret and take the key from it.`;
}

function adviceOnMount(
  { mountPath, secretPath, kvVersion }: SecretAddress,
  namespace: string | undefined,
  mount: Mount | undefined,
  other: OtherAdvice,
): string {
  if (mount === undefined || mount.state === 'unknown') return '';
  const list = `"${suggestedCommand('secrets list', { namespace })}" lists the mounts`;
  if (mount.state !== 'found') {
    return `There is no secrets engine at "${mountPath}"${inNamespace(namespace)} that this token can see: ${other.mount} (${list}) and the Vault namespace.`;
  }
  if (mount.path !== mountPath) {
    const inside = `${mountPath}/${secretPath}`.slice(mount.path.length + 1).replace(/^data\//, '');
    return `The secrets engine is mounted at "${mount.path}": ${other.mount}, which should be "${mount.path}", with the path "${inside}".`;
  }
  if (mount.kvVersion === undefined) {
    return `"${mountPath}" is a secrets engine of type "${mount.type}", not KV: ${other.mount}.`;
  }
  return kvVersion === undefined || mount.kvVersion === kvVersion
    ? ''
    : `"${mountPath}" is a KV version ${mount.kvVersion} engine: correct "kvVersion" of the source, or leave it out.`;
}

/** A layer of which nothing is there. @internal */
export function nothingFound({ option, sources }: ConfigLayer): VaultError {
  const paths = [...new Set(sources.map(({ mountPath, secretPath }) => `${mountPath}/${secretPath}`))];
  return new VaultNotFoundError(
    `"${option}" found none of its secrets: ${paths.join(', ')}. Write one of them, correct the option, or set "${option}.optional: true".`,
  );
}

/** What else is known of a load that failed. @internal */
export interface FailedLoad {
  readonly plan: ConfigPlan;
  readonly factoryValues: readonly FactoryValues[];
  /** Namespaces of features that failed too: they are part of the error of an application that has those features. */
  readonly failedFeatures: ReadonlyMap<string, VaultConfigurationError>;
}

const failedLoads = new WeakMap<object, FailedLoad>();

/** The error of a load. @internal */
export function loadFailure(failures: readonly VaultError[], load: FailedLoad): VaultConfigurationError {
  const error = summary(failures);
  failedLoads.set(error, load);
  return error;
}

/** `undefined` for anything but the error of a load. @internal */
export function failedLoadOf(error: unknown): FailedLoad | undefined {
  return typeof error === 'object' && error !== null ? failedLoads.get(error) : undefined;
}

/** Everything that failed, as one error. @internal */
export function summary(failures: readonly VaultError[]): VaultConfigurationError {
  return new VaultConfigurationError(
    `The configuration in Vault could not be loaded (${failures.length} problem${failures.length === 1 ? '' : 's'}):`,
    failures,
  );
}
