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

/**
 * How many tokens are alive once they are as many as expected, or after a while: a server under load may still be busy
 * with a revocation whose client has stopped waiting.
 */
export async function settledTokens(expected, limitMs = 10_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const count = await tokens();
    if (count === expected || Date.now() > end) return count;
  }
}

/** @returns the `auth` option of a role that may read the KV store: every login makes a token of its own. */
export async function createAppRole() {
  const mounts = await call('GET', 'sys/auth');
  if (!mounts['approle/']) await call('POST', 'sys/auth/approle', { type: 'approle' });
  await call('POST', 'sys/policies/acl/stress', { policy: 'path "secret/*" { capabilities = ["read"] }' });
  await call('POST', 'auth/approle/role/stress', { token_policies: ['stress'], token_ttl: '1h' });
  const { role_id: roleId } = await call('GET', 'auth/approle/role/stress/role-id');
  return { method: 'approle', roleId, secretId: await createSecretId() };
}

/** @param uses how many logins it is good for; 0 = any number */
export async function createSecretId(uses = 0) {
  const { secret_id: secretId } = await call('POST', 'auth/approle/role/stress/secret-id', { num_uses: uses });
  return secretId;
}
