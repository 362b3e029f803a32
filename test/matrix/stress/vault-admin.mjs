// What the harness itself asks of the server, with the root token.
const call = async (method, path, body) => {
  const response = await fetch(`${process.env.VAULT_ADDR}/v1/${path}`, {
    method,
    headers: { 'x-vault-token': process.env.VAULT_TOKEN, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer = text === '' ? {} : JSON.parse(text);
  if (response.status >= 400 && response.status !== 404) {
    throw new Error(`${method} ${path} answered ${response.status}: ${answer.errors?.join('; ')}`);
  }
  return answer.data ?? {};
};

export const write = (path, data) => call('POST', `secret/data/${path}`, { data });
export const remove = (path) => call('DELETE', `secret/metadata/${path}`);

/** How many tokens are alive. */
export const tokens = async () => (await call('GET', 'auth/token/accessors?list=true')).keys.length;

/** @returns the `auth` option of a role that may read the KV store: every login makes a token of its own. */
export async function createAppRole() {
  const mounts = await call('GET', 'sys/auth');
  if (!mounts['approle/']) await call('POST', 'sys/auth/approle', { type: 'approle' });
  await call('POST', 'sys/policies/acl/stress', { policy: 'path "secret/*" { capabilities = ["read"] }' });
  await call('POST', 'auth/approle/role/stress', { token_policies: ['stress'], token_ttl: '1h' });
  const { role_id: roleId } = await call('GET', 'auth/approle/role/stress/role-id');
  const { secret_id: secretId } = await call('POST', 'auth/approle/role/stress/secret-id', {});
  return { method: 'approle', roleId, secretId };
}
