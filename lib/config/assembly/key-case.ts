/** `MAX_POOL_SIZE` as `maxPoolSize`; a name that is not all capitals stays as it is. @internal */
export function camelCase(name: string): string {
  if (/\p{Ll}/u.test(name)) return name;
  return name.toLowerCase().replace(/(?<=.)[_-]+(.)/gu, (_, letter: string) => letter.toUpperCase());
}

/**
 * Names, containers first, as one variable of the environment would be called: `database`, `maxPoolSize` as
 * `DATABASE_MAX_POOL_SIZE`. Whatever is no letter or digit becomes `_`.
 * @internal
 */
export function screamingCase(path: readonly string[]): string {
  return path
    .join('_')
    .replace(/(\p{Ll}|\d)(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$&_')
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .toUpperCase();
}
