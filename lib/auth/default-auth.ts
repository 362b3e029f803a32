import type { VaultAuth } from './login-methods.js';
import { defaultToken } from './methods/token.auth.js';

/**
 * The `auth` option when it is not given: the token of the environment, else AppRole with the role id and secret id of
 * the environment.
 *
 * @returns `undefined` when the environment has neither
 * @internal
 */
export function defaultAuth(): VaultAuth | undefined {
  if (defaultToken() !== undefined) return { method: 'token' };
  const roleId = variableWith('ROLE_ID');
  if (roleId === undefined) return undefined;
  const secretId = variableWith('SECRET_ID');
  return { method: 'approle', roleId: { env: roleId }, ...(secretId !== undefined && { secretId: { env: secretId } }) };
}

/** As with all variables: `BAO_<name>` counts when it is set at all, and an empty one counts as not set. */
function variableWith(name: string): string | undefined {
  const used = process.env[`BAO_${name}`] === undefined ? `VAULT_${name}` : `BAO_${name}`;
  return process.env[used] ? used : undefined;
}
