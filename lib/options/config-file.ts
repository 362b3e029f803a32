import { existsSync } from 'node:fs';

/** TypeScript after JavaScript: beside a compiled file, every version of Node can run that one. */
const CONFIG_FILES = ['js', 'mjs', 'cjs', 'ts', 'mts', 'json'].map((extension) => `nestjs-vault.config.${extension}`);

/** The options file `nestjs-vault.config.*` in the working directory, for `nestjs-vault run` and `nestjs-vault/register`. @internal */
export function findConfigFile(): string | undefined {
  return CONFIG_FILES.find((name) => existsSync(name));
}
