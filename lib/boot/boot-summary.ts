import { inNamespace } from '../client/suggested-command.js';
import type { ConfigLayer } from '../config/plan.js';
import type { Configuration } from '../config/configuration.js';
import { describeOrigin, valueOrigin } from '../config/origins.js';
import type { SecretAddress, SecretReads } from '../config/sources/read-secrets.js';
import { isAbsent } from '../config/sources/read-secrets.js';
import type { Log } from '../observability/log-events.js';

/**
 * Logs one line with the numbers: values from secrets (references included), from `config.load`, and from the environment.
 * With the debug switch of this module also one for each key. Never a value.
 *
 * @param login `undefined` when there was none, because the configuration is a snapshot's
 * @internal
 */
export function logSummary(
  { tree }: Pick<Configuration, 'tree'>,
  log: Pick<Log, 'log' | 'debug'>,
  login?: { readonly endpoint: string; readonly accessor: string | undefined },
): void {
  const secrets = new Set<string>();
  const counts = { secret: 0, load: 0, variable: 0 };
  for (const { origin, isAlias } of tree.leaves()) {
    // Another name of a value is not another value.
    if (isAlias) continue;
    if (origin.secretPath !== '') secrets.add(JSON.stringify([origin.namespace, origin.mountPath, origin.secretPath]));
    counts[origin.secretPath !== '' ? 'secret' : origin.variable === undefined ? 'load' : 'variable']++;
  }
  const values = (count: number) => `${count} ${count === 1 ? 'value' : 'values'}`;
  const parts = [`${values(counts.secret)} from ${secrets.size} ${secrets.size === 1 ? 'secret' : 'secrets'}`];
  if (counts.variable > 0) parts.push(`${counts.variable} from the environment`);
  if (counts.load > 0) parts.push(`${counts.load} from config.load`);
  const accessor = login?.accessor === undefined ? '' : ` (accessor ${login.accessor})`;
  log.log(`${login ? `Logged in to ${login.endpoint}${accessor}; ` : ''}${parts.join('; ')}`);
  if (!isAsked(process.env['NESTJS_VAULT_DEBUG'])) return;
  const now = new Date();
  for (const { path, origin } of tree.leaves()) log.debug(describeOrigin(valueOrigin(path, origin), now));
}

/** Nest prints level `debug` by default, so the level alone does not mean that the lines were asked for. */
function isAsked(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}

/**
 * Tells which optional secrets do not exist: a line for each source, and one for a layout. A lookup of the mount that was
 * denied leaves a doubt, which is a warning.
 *
 * @internal
 */
export function logAbsentSources(
  layers: readonly ConfigLayer[],
  reads: SecretReads,
  log: Pick<Log, 'log' | 'warn'>,
): void {
  for (const { sources, atLeastOne, option } of layers) {
    const absent = sources.filter((source) => source.optional && isAbsent(reads.get(source)));
    if (absent.length === 0) continue;
    const paths = [...new Set(absent.map(describePlace))].join(', ');
    if (atLeastOne === undefined) log.log(`${option}: optional and not found: ${paths}`);
    else log.log(`${option}: not found and skipped: ${paths}`);
  }
  const doubtful = new Set<string>();
  for (const [{ mountPath, namespace }, read] of reads) {
    if (read.secret || read.absent !== 'unconfirmed') continue;
    doubtful.add(`"${mountPath}"${inNamespace(namespace)}`);
  }
  if (doubtful.size === 0) return;
  log.warn(
    `Cannot look up the mount ${[...doubtful].join(', ')} (sys/internal/ui/mounts was denied): secrets in it that were not found count as absent, although the mount may be another one. Check "mountPath", and let the path through any proxy before the server.`,
  );
}

function describePlace({ mountPath, secretPath, namespace }: SecretAddress): string {
  return `${JSON.stringify(`${mountPath}/${secretPath}`)}${inNamespace(namespace)}`;
}
