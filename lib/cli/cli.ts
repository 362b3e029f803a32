import { readFile } from 'node:fs/promises';
import { isVaultError } from '../errors/index.js';
import type { CliCommand } from './cli-command.js';
import { CliError, CliOutput } from './cli-command.js';
import { describeFailure } from './load-options.js';
import { runCommand } from './run/run.command.js';

const COMMANDS: readonly CliCommand[] = [runCommand];

const HELP = `Usage: nestjs-vault <command> [options]

Commands:
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(8)} ${summary}`).join('\n')}

  nestjs-vault <command> --help   what a command takes
  nestjs-vault --version          version of this package
`;

/**
 * Runs a command line and prints errors.
 *
 * @param args without the paths of Node and of the program
 * @returns the exit code; 1 after an error
 * @internal
 */
export async function runCli(args: readonly string[]): Promise<number> {
  const output = new CliOutput();
  const [name, ...rest] = args;
  try {
    if (name === '--help' || name === '-h') return print(HELP);
    if (name === '--version' || name === '-v') return print(`${await version()}\n`);
    const command = COMMANDS.find((candidate) => candidate.name === name);
    if (!command)
      throw new CliError(
        `${name === undefined ? 'No command given' : `There is no command ${JSON.stringify(name)}`}.\n\n${HELP}`,
      );
    const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
    if (own.includes('--help') || own.includes('-h')) return print(command.help);
    output.json = own.includes('--json');
    return await command.run(rest, output);
  } catch (error) {
    if (isVaultError(error)) output.error(error.message, error.code);
    else output.error(describeFailure(error), error instanceof CliError ? error.code : undefined);
    return 1;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

async function version(): Promise<string> {
  const manifest = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
