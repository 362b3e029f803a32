/**
 * Prefix of the injection tokens that tie one `forRoot` call to its module, one of a kind for every call.
 * @internal
 */
export const VAULT_CONFIGURATION = 'nestjs-vault:configuration';
/** @internal */
export const VAULT_OPTIONS = Symbol.for('nestjs-vault:options');
/** Token of the object that `ConfigService` reads its values from; not exported by @nestjs/config. @internal */
export const CONFIGURATION_HOST = 'CONFIGURATION_TOKEN';
/** Token of the provider that merges what a factory has made into that object; not exported either. @internal */
export const CONFIGURATION_LOADER = 'CONFIGURATION_LOADER';
