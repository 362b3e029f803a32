import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';

/** Variables by name. @internal */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables of `.env` in the working directory that the environment does not set itself. They are not written to
 * `process.env`, and the file need not exist.
 * @internal
 */
export async function readEnvFile(): Promise<Record<string, string>> {
  const content = await readFile('.env', 'utf8').catch(() => '');
  const values = parseEnv(content) as Record<string, string>;
  return Object.fromEntries(Object.entries(values).filter(([key]) => process.env[key] === undefined));
}

/** The environment as `ConfigService` sees it: `process.env`, and below it `.env`. @internal */
export async function readEnvironment(): Promise<Environment> {
  return { ...(await readEnvFile()), ...process.env };
}
