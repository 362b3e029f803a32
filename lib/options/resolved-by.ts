/**
 * Variable that tells a process, and its child processes, that references and sources are in its environment already:
 * `run` or `register`, `:`, and the configuration they came from.
 * @internal
 */
export const RESOLVED_BY = 'NESTJS_VAULT_RESOLVED_BY';

/** What errors about a missing endpoint or login add in a command of `nestjs-vault run`, which withholds both. @internal */
export function withheldAdvice(): string {
  return process.env[RESOLVED_BY]?.startsWith('run:')
    ? ' This process was started by "nestjs-vault run", which does not pass VAULT_*, BAO_* and credentials on: if the application uses VaultModule, add --pass-vault-env.'
    : '';
}
