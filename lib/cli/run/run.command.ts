import { parseArgs } from 'node:util';
import { resolve } from 'node:path';
import { VaultAbortedError } from '../../errors/index.js';
import { MAX_TIMER_MS } from '../../lifetime/clock.js';
import { ABORTED, race, TIMED_OUT } from '../../lifetime/race.js';
import { addEnvFile } from '../../options/env-file.js';
import { RESOLVED_BY } from '../../options/environment.js';
import type { VaultModuleOptions } from '../../vault.options.js';
import type { CliCommand, CliOutput } from '../cli-command.js';
import { CliError } from '../cli-command.js';
import { describeFailure, isAboutOptions, loadOptions } from '../load-options.js';
import { isTerminationSignal, exitCodeOf, SignalForwarder } from './process-group.js';
import { SupervisedCommand } from './supervised-command.js';
import { watchEnvironment } from './watch-environment.js';

const HELP = `Usage: nestjs-vault run [options] -- command [arguments]

Runs a command with the configuration from Vault as environment variables: in that process only, written nowhere.

Options:
  -c, --config <file>     options of VaultModule, as JSON or as a module (default: nestjs-vault.config.*)
      --sources <a,b>     paths to read, in place of the "sources" in the file; may be repeated
      --prefix <text>     put before every name
      --allow <NAME>      pass on a variable that changes how programs run, such as NODE_OPTIONS; may be repeated
      --omit <NAME>       leave a variable out; may be repeated
      --pass-vault-env    leave VAULT_*, BAO_* and the variables with credentials in the command's environment
      --watch             read again and restart the command when a value has changed
      --interval-ms <n>   how often to read again, give or take a tenth; at least 50 (default: 60000)
      --grace-ms <n>      how long the command may take to end at a restart before it is killed (default: 30000)
      --json              messages as JSON, one object a line
  -h, --help

What is not in the file comes from the environment or .env: VAULT_ADDR, VAULT_TOKEN (or VAULT_ROLE_ID and
VAULT_SECRET_ID) and the like. "database.maxPool" becomes DATABASE_MAX_POOL; what is not text becomes JSON. Signals and
exit code are passed on; 127: command not found, 126: cannot be run.
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  sources: { type: 'string', multiple: true },
  prefix: { type: 'string' },
  allow: { type: 'string', multiple: true },
  omit: { type: 'string', multiple: true },
  'pass-vault-env': { type: 'boolean' },
  watch: { type: 'boolean' },
  'interval-ms': { type: 'string' },
  'grace-ms': { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `nestjs-vault run`. @internal */
export const runCommand: CliCommand = {
  name: 'run',
  summary: 'run a command with the configuration in its environment',
  help: HELP,
  async run(args, output) {
    const { flags, command } = parse(args);
    const signals = new SignalForwarder();
    try {
      return await run(flags, command, signals, output);
    } catch (error) {
      if (signals.received && error instanceof VaultAbortedError) return exitCodeOf(signals.received);
      throw error;
    } finally {
      signals.close();
    }
  },
};

const NOTHING_TO_READ =
  'Nothing to read: name the secrets with --sources a,b, or give options with --config <file>, or put references such as vault:secret/my-app#key into variables.';

type Flags = ReturnType<typeof parse>['flags'];

async function run(flags: Flags, command: string[], signals: SignalForwarder, output: CliOutput): Promise<number> {
  const graceMs = milliseconds(flags, 'grace-ms', 30_000);
  const intervalMs = milliseconds(flags, 'interval-ms', 60_000);
  if (!/^([A-Za-z_]\w*)?$/.test(flags.prefix ?? '')) {
    throw new CliError(
      '--prefix takes letters, digits and "_", and begins with no digit: names of variables have no others.',
    );
  }
  const environment = { ...process.env };
  await addEnvFile();
  const loaded = await orAborted(loadOptions(flags.config), signals.beforeStart);
  if (loaded && flags.config === undefined) output.info(`Using the options in ${loaded.file}.`);
  const given = withSources(loaded?.options, flags.sources);
  // Otherwise the command would inherit from this process what --omit leaves out.
  const options = { ...given, config: { ...given.config, exportToProcessEnv: false } };
  // Imported on demand, so that --help loads neither Nest nor node-vault.
  const [{ boot }, { environmentOf, unusedOmissions, inheritedEnvironment }, { defaultAuth }] = await Promise.all([
    import('../../boot/boot.js'),
    import('./environment.js'),
    import('../../auth/login-methods.js'),
  ]);
  const runtime = await boot(options, { log: output, signal: signals.beforeStart, once: !flags.watch }).catch(
    (error: unknown) => {
      throw isAboutOptions(error) ? new CliError(describeFailure(error, loaded), error.code) : error;
    },
  );
  try {
    if (runtime.configuration.reads.size === 0) throw new CliError(NOTHING_TO_READ);
    const values = environmentOf(runtime.values(), flags);
    for (const name of unusedOmissions(runtime.values(), flags)) {
      output.warn(
        `--omit ${name} leaves nothing out: no variable is called so. It takes the names that the command gets, such as DATABASE_PASSWORD for "database.password", with the prefix if there is one.`,
      );
    }
    // The values need no lease, so no token is kept alive while the command runs.
    if (!flags.watch) await runtime.disconnect();
    if (signals.received) return exitCodeOf(signals.received);
    const auth = options.auth ?? defaultAuth();
    const inherited = {
      ...inheritedEnvironment(
        { ...options, ...(auth && { auth }) },
        flags['pass-vault-env'] ?? false,
        environment,
        runtime.plan.references,
      ),
      [RESOLVED_BY]: `run:${resolve(loaded?.file ?? '.')}`,
    };
    const supervised = new SupervisedCommand(command, graceMs, output);
    const stop = flags.watch
      ? watchEnvironment({
          values,
          read: async (signal) => {
            await runtime.reload(signal);
            const next = environmentOf(runtime.values(), flags);
            await runtime.writeFiles();
            return next;
          },
          onChange: (changed) => supervised.restart({ ...inherited, ...changed }),
          intervalMs,
          output,
        })
      : () => undefined;
    if (flags.watch) runtime.start();
    signals.forwardTo((signal) => {
      if (isTerminationSignal(signal)) stop();
      supervised.signal(signal);
    });
    return await supervised.run({ ...inherited, ...values }).finally(stop);
  } finally {
    await runtime.close();
  }
}

/** The promise of an options file may never settle. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const outcome = await race(work, { signal });
  if (outcome === ABORTED || outcome === TIMED_OUT) throw new VaultAbortedError('Interrupted.');
  return outcome;
}

function parse(args: readonly string[]) {
  const end = args.indexOf('--');
  const command = end === -1 ? [] : args.slice(end + 1);
  // An empty argument is usually an unset shell variable.
  if (!command[0]) {
    throw new CliError(
      'Which command? Write it behind two hyphens: nestjs-vault run --sources my-app -- node dist/main.js',
    );
  }
  try {
    const { values } = parseArgs({ args: args.slice(0, end), options: OPTIONS, allowPositionals: false });
    return { flags: values, command };
  } catch (error) {
    throw new CliError(`${(error as Error).message.replace(/\.?$/, '.')} See: nestjs-vault run --help`);
  }
}

function withSources(options: VaultModuleOptions | undefined, sources: string[] | undefined): VaultModuleOptions {
  if (sources === undefined) return options ?? {};
  const paths = sources.flatMap((list) => list.split(',')).map((path) => path.trim());
  return { ...options, config: { ...options?.config, sources: paths } };
}

function milliseconds(flags: Flags, name: 'interval-ms' | 'grace-ms', defaultMs: number): number {
  const min = name === 'interval-ms' ? 50 : 1;
  const value = flags[name] === undefined ? defaultMs : Number(flags[name]);
  if (Number.isInteger(value) && value >= min && value <= MAX_TIMER_MS) return value;
  throw new CliError(`--${name} takes a whole number of milliseconds from ${min} to ${MAX_TIMER_MS}.`);
}
