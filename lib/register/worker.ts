import { parentPort, workerData } from 'node:worker_threads';
import { boot } from '../boot/boot.js';
import { sessionIdentity } from '../boot/registered-session.js';
import type { Load } from '../boot/load.js';
import { describeFailure, loadOptions } from '../cli/load-options.js';
import { KnownReferences } from '../config/references/leftover-references.js';
import { referencesInVariables } from '../config/references/resolve-references.js';
import { printable, formatList } from '../errors/format.js';
import { hasReferenceForm } from '../config/references/reference.js';
import { resolveConfig } from '../config/resolve-config.js';
import { addEnvFile, readEnvironment } from '../options/env-file.js';
import type { VaultModuleOptions } from '../vault.options.js';
import type { RegisteredValues, RegisterOutcome, RegisterTask } from './outcome.js';

const { port, done, sourcesResolved } = workerData as RegisterTask;
const warnings: string[] = [];
let reported = false;

function report(outcome: Omit<RegisterOutcome, 'warnings'>): void {
  if (reported) return;
  reported = true;
  port.postMessage({ ...outcome, warnings } satisfies RegisterOutcome);
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
}

// The other thread waits, also if this one fails.
process.on('exit', () =>
  report({ problem: 'The file of options ends or waits for something that never comes. Look at its promises.' }),
);
process.on('uncaughtException', (error) => report({ problem: describeFailure(error) }));

const warn = (message: string): void => void warnings.push(message);
const quiet = (): void => undefined;

async function run(): Promise<void> {
  await addEnvFile();
  const loaded = await loadOptions(undefined);
  const options = loaded?.options ?? {};
  const before = await readEnvironment();
  const plan = resolveConfig(options.config, before);
  const references = [...referencesInVariables(plan, new KnownReferences()).keys()];
  const hasSources = plan.layers.length > 0 || (options.config?.load ?? []).length > 0;
  if (references.length === 0 && (!hasSources || sourcesResolved)) return report({});
  const runtime = await boot(exporting(options, references), {
    log: { log: quiet, debug: quiet, warn, error: warn },
    once: true,
  }).catch((error: unknown) => report({ problem: describeFailure(error, loaded) }));
  if (!runtime) return;
  // Unresolved, or a value from Vault that a child process would resolve with its own token.
  const refused = Object.entries(process.env)
    .filter(([name, text = '']) => (text !== before[name] || references.includes(name)) && hasReferenceForm(text))
    .map(([name]) => name);
  if (refused.length > 0) {
    await runtime.close();
    return report({
      problem: `These variables would hold a text with the form of a reference: ${formatList(refused.map(printable))}. Store another value in Vault, or leave the key out with "config.exportToProcessEnv".`,
    });
  }
  await handOver(runtime, sessionIdentity(options), before);
}

async function handOver(
  runtime: Load,
  identity: string | undefined,
  before: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const written = Object.entries(process.env).filter(([name, value]) => value !== before[name]);
  const login = runtime.session.currentLogin;
  // One with a number of uses would be used up by two.
  const transferable = identity !== undefined && login?.owned === true && (login.numUses ?? 0) === 0;
  const { files } = runtime.configuration;
  const values: RegisteredValues = {
    variables: written.map(([name, value = '']) => [name, value] as const),
    identity,
    login: transferable ? login : undefined,
    files: files.length > 0 ? [...files.map(({ path }) => path), runtime.plan.filesFolder] : [],
  };
  if (!transferable) await runtime.disconnect();
  // Files are removed when this thread ends.
  const end = (): void => void (files.length === 0 && process.exit());
  if (transferable) {
    parentPort?.on('message', (how: 'revoke' | 'release') => {
      if (how === 'release') return end();
      void runtime.disconnect().then(end);
    });
  }
  report({ values });
}

/** What becomes a variable when the options do not say: everything. */
function exporting(options: VaultModuleOptions, references: readonly string[]): VaultModuleOptions {
  const asked = options.config?.exportToProcessEnv;
  return {
    ...options,
    config: {
      ...options.config,
      exportToProcessEnv: Array.isArray(asked) ? [...(asked as readonly string[]), ...references] : asked || true,
    },
  };
}

await run().catch((error: unknown) => report({ problem: describeFailure(error) }));
