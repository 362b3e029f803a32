/**
 * Prefix of the injection tokens that tie one `forRoot` call to its module, one of a kind for every call.
 * @internal
 */
export const VAULT_CONFIGURATION = 'nestjs-vault:configuration';
/** @internal */
export const VAULT_OPTIONS = Symbol.for('nestjs-vault:options');
