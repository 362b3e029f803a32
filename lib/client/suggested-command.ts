const PLAIN = /^[A-Za-z0-9_./=-]+$/;

/**
 * A command of the `bao` CLI as it is typed into a POSIX shell: arguments are quoted where the shell needs it, and names
 * that begin with a dash are kept from being read as flags.
 *
 * @param words the subcommand, such as `kv put`
 * @param flags such as `-mount=secret`
 * @param names what follows the flags
 * @param namespace named in the command unless it is undefined or the root namespace
 * @internal
 */
export function suggestedCommand(
  words: string,
  {
    flags = [],
    names = [],
    namespace,
  }: { flags?: readonly string[]; names?: readonly string[]; namespace?: string | undefined },
): string {
  const inNamespace = namespace ? [`-namespace=${namespace}`] : [];
  const guard = names.some((name) => name.startsWith('-')) ? ['--'] : [];
  return ['bao', ...words.split(' '), ...[...inNamespace, ...flags, ...guard, ...names].map(quoteForShell)].join(' ');
}

function quoteForShell(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** ` in namespace "team"`, or nothing where there is none. @internal */
export function inNamespace(namespace: string | undefined): string {
  return namespace ? ` in namespace ${JSON.stringify(namespace)}` : '';
}
