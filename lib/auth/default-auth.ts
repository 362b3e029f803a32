import type { VaultAuth } from './login-methods.js';
import { defaultToken } from './methods/token.auth.js';

/**
 * The default of the `auth` option: the token in the environment, or AppRole with the role id and secret id in the
 * environment.
 *
 * @returns `undefined` if the environment has neither
 * @internal
 */
export function defaultAuth(): VaultAuth | undefined {
  if (defaultToken() !== undefined) return { method: 'token' };
  const roleId = variableWith('ROLE_ID');
  if (roleId === undefined) return undefined;
  const secretId = variableWith('SECRET_ID');
  return { method: 'approle', roleId: { env: roleId }, ...(secretId !== undefined && { secretId: { env: secretId } }) };
}

/** As with all variables, `BAO_<name>` takes precedence even if empty, and an empty variable counts as not set. */
function variableWith(name: string): string | undefined {
  const used = process.env[`BAO_${name}`] === undefined ? `VAULT_${name}` : `BAO_${name}`;
  return process.env[used] ? used : undefined;
}
