import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Credential } from '../credential.js';

/**
 * The token that `bao login` or `vault login` has left in a file: the one `BAO_TOKEN_PATH` names, else `.vault-token` in
 * the home directory. For developers' machines: `auth: { method: 'token', token: tokenHelper() }`. It is read only where
 * this function is used, and read again at every login. A helper program set up in `~/.vault` is not run.
 * @see https://openbao.org/docs/commands/token-helper/
 * @publicApi
 */
export function tokenHelper(): Credential {
  return { file: process.env['BAO_TOKEN_PATH'] || join(homedir(), '.vault-token') };
}
