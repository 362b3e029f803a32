import { parseArgs } from 'node:util';
import { VaultAbortedError } from '../../errors/index.js';
import type { VaultModuleOptions } from '../../vault.options.js';
import type { CliCommand } from '../cli-command.js';
import { CliError } from '../cli-command.js';
import type { CliOutput } from '../cli-output.js';
import { loadOptions } from '../load-options.js';
import { environmentOf, inheritedEnvironment } from './environment.js';
import { exitCodeOf, Signals } from './signals.js';
import { SupervisedCommand } from './supervised-command.js';
import { watchEnvironment } from './watch-environment.js';

const HELP = `Usage: nestjs-vault run [options] -- command [arguments]

Runs a command with the configuration from Vault as environment variables: in that process only, written nowhere.

Options:
  -c, --config <file>     options of VaultModule, as JSON or as a module (default: nestjs-vault.config.*)
      --sources <a,b>     paths to read, in place of the "sources" in the file
      --prefix <text>     put before every name
      --allow <NAME>      pass on a variable that changes how programs run, such as NODE_OPTIONS; may be repeated
      --pass-vault-env    leave VAULT_*, BAO_* and the variables with credentials in the command's environment
      --watch             read again and restart the command when a value has changed
      --interval-ms <n>   how often to read again (default: 60000)
      --grace-ms <n>      how long the command may take to end before it is killed, at a restart (default: 10000)
      --json              messages as JSON, one object a line
  -h, --help

What is not in the file comes from VAULT_ADDR, VAULT_TOKEN and the like. "database.maxPool" becomes DATABASE_MAX_POOL;
what is not text becomes JSON. Signals and exit code are passed on; 127: command not found, 126: cannot be run.
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  sources: { type: 'string' },
  prefix: { type: 'string' },
  allow: { type: 'string', multiple: true },
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
    const signals = new Signals();
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

type Flags = ReturnType<typeof parse>['flags'];

async function run(flags: Flags, command: string[], signals: Signals, output: CliOutput): Promise<number> {
  const graceMs = milliseconds(flags, 'grace-ms', 10_000);
  const intervalMs = milliseconds(flags, 'interval-ms', 60_000);
  const options = withSources(await loadOptions(flags.config), flags.sources);
  // Loaded on use, so that help needs neither Nest nor node-vault.
  const { boot } = await import('../../bootstrap/boot.js');
  const runtime = await boot(options, { log: output, signal: signals.early });
  try {
    const values = environmentOf(runtime.values(), flags);
    // The values hold no leases, so that a command that runs for months need not have a token of ours beside it.
    if (!flags.watch) await runtime.close();
    if (signals.received) return exitCodeOf(signals.received);
    const inherited = inheritedEnvironment(options, flags['pass-vault-env'] ?? false);
    const supervised = new SupervisedCommand(command, graceMs, (message) => output.error(message));
    signals.sendTo((signal, hasIt) => supervised.signal(signal, hasIt));
    supervised.start({ ...inherited, ...values });
    if (!flags.watch) return await supervised.exitCode;
    runtime.start();
    const stop = watchEnvironment({
      values,
      read: async (signal) => {
        await runtime.reload(signal);
        return environmentOf(runtime.values(), flags);
      },
      onChange: (changed) => supervised.restart({ ...inherited, ...changed }),
      intervalMs,
      output,
    });
    return await supervised.exitCode.finally(stop);
  } finally {
    await runtime.close();
  }
}

function parse(args: readonly string[]) {
  const end = args.indexOf('--');
  const command = end === -1 ? [] : args.slice(end + 1);
  if (command.length === 0) {
    throw new CliError(
      'Which command? Write it behind two hyphens: nestjs-vault run --sources my-app -- node dist/main.js',
    );
  }
  try {
    const { values } = parseArgs({ args: args.slice(0, end), options: OPTIONS, allowPositionals: false });
    return { flags: values, command };
  } catch (error) {
    throw new CliError(`${(error as Error).message} See: nestjs-vault run --help`);
  }
}

function withSources(options: VaultModuleOptions | undefined, sources: string | undefined): VaultModuleOptions {
  if (sources === undefined && options === undefined) {
    throw new CliError('Nothing to read: name the secrets with --sources a,b, or give options with --config <file>.');
  }
  if (sources === undefined) return options ?? {};
  const paths = sources.split(',').map((path) => path.trim());
  return { ...options, config: { ...options?.config, sources: paths } };
}

function milliseconds(flags: Flags, name: 'interval-ms' | 'grace-ms', standard: number): number {
  const value = flags[name] === undefined ? standard : Number(flags[name]);
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new CliError(`--${name} takes a whole number of milliseconds above 0.`);
}
