import { existsSync } from 'node:fs';

/** TypeScript last: where it lies beside what was made of it, a Node that cannot run it has what it needs. */
const CONFIG_FILES = ['js', 'mjs', 'cjs', 'ts', 'mts', 'json'].map((extension) => `nestjs-vault.config.${extension}`);

/** The file of options in the working directory that programs other than the application use. @internal */
export function findConfigFile(): string | undefined {
  return CONFIG_FILES.find((name) => existsSync(name));
}
