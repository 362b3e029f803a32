import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLoginMethod } from '../../lib/auth/login-methods.js';
import type { AppRoleAuth } from '../../lib/auth/methods/approle.auth.js';
import { forwardTo, json } from '../support/fault-server.js';
import { AuthBench } from '../support/auth-bench.js';
import { until } from '../support/until.js';

let bench: AuthBench;
const refusal = (message: RegExp, more: object = {}) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...more,
});

const NESTED = 'team/a/approle';
const BOOTSTRAP = `
path "auth/approle/role/app/role-id" { capabilities = ["read"] }
path "auth/approle/role/app/secret-id" { capabilities = ["update"] }`;

beforeAll(async () => {
  bench = await AuthBench.start();
  const { server } = bench;
  await server.request('POST', 'sys/namespaces/org', {});
  for (const [mount, namespace] of [['approle'], [NESTED], ['approle', 'org']] as const) {
    const options = namespace === undefined ? {} : { namespace };
    await server.request('POST', `sys/auth/${mount}`, { type: 'approle' }, options);
    await server.request('POST', `auth/${mount}/role/app`, { token_policies: 'app', token_ttl: '1h' }, options);
  }
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('PUT', 'sys/policies/acl/bootstrap', { policy: BOOTSTRAP });
});
afterEach(() => bench.reset());
afterAll(() => bench.stop());

const roleId = async (mount = 'approle', namespace?: string) =>
  (await bench.ask('GET', `auth/${mount}/role/app/role-id`, undefined, namespace))['role_id'] as string;
const secretId = async (more: object = {}, mount = 'approle', namespace?: string) =>
  (await bench.ask('POST', `auth/${mount}/role/app/secret-id`, more, namespace))['secret_id'] as string;
const open = async (secretId: AppRoleAuth['secretId'], more: Partial<AppRoleAuth> = {}) =>
  bench.open({
    method: 'approle',
    roleId: more.roleId ?? (await roleId(more.mountPath, more.namespace)),
    ...(secretId !== undefined && { secretId }),
    ...more,
  });
const unwraps = () => bench.sent('sys/wrapping/unwrap').length;
const opens = async (token: string) => (await bench.status('POST', 'sys/wrapping/unwrap', undefined, token)) === 200;

describe('approle with a secret id', () => {
  it('login with approle accepts a mount of several segments, with or without a trailing slash', async () => {
    for (const mountPath of [NESTED, `${NESTED}/`])
      expect((await open(await secretId({}, NESTED), { mountPath, roleId: await roleId(NESTED) })).policies).toEqual([
        'app',
        'default',
      ]);
    expect(bench.front.requests.map(({ url }) => url)).toEqual(Array(2).fill(`/v1/auth/${NESTED}/login`));
  });

  it('login with approle needs no secret id if the role does not', async () => {
    const role = { bind_secret_id: false, secret_id_bound_cidrs: ['127.0.0.1/32'], token_policies: 'open' };
    await bench.server.request('POST', 'auth/approle/role/open', role);
    const { role_id: id } = await bench.ask('GET', 'auth/approle/role/open/role-id');
    expect((await bench.open({ method: 'approle', roleId: id as string })).policies).toEqual(['default', 'open']);
  });

  it('login with approle uses the namespace in auth.namespace', async () => {
    const namespace = 'org';
    const made = await secretId({}, 'approle', namespace);
    expect((await open(made, { namespace })).state).toBe('active');
    expect(
      (
        await bench.open(
          { method: 'approle', roleId: await roleId('approle', namespace), secretId: made },
          { namespace },
        )
      ).state,
    ).toBe('active');
    await expect(
      open(made, { namespace: 'nowhere', roleId: await roleId('approle', namespace) }),
    ).rejects.toMatchObject(refusal(/namespace/));
  });

  it('login with approle rejects a secret id that is used up, expired, or of another role', async () => {
    const advice = /invalid role or secret ID.*"auth\.roleId" and "auth\.secretId".*wrong, expired, used up or bound/;
    const once = await secretId({ num_uses: 1 });
    await open(once);
    await expect(open(once)).rejects.toMatchObject(refusal(advice, { statusCode: 400 }));
    const role_id = await roleId();
    const short = await secretId({ ttl: '1s' });
    // OpenBao does not look at the age of a secret id at login; it tidies old ones away.
    await until(async () => {
      await bench.server.request('POST', 'auth/approle/tidy/secret-id', {});
      return (await bench.status('POST', 'auth/approle/login', { role_id, secret_id: short })) === 400;
    });
    await expect(open(short)).rejects.toMatchObject(refusal(advice));
    await expect(open(await secretId({}, NESTED))).rejects.toMatchObject(refusal(advice));
    await expect(open(undefined)).rejects.toMatchObject(refusal(/missing secret_id.*"auth\.secretId"/));
  });

  it.each([
    ['nowhere', /of type "approle" is enabled at "nowhere"/],
    ['userpass', /of type "approle" is enabled at "userpass"/],
    ['auth/approle', /write mountPath "approle"/],
  ])('login with approle advises what to check when the mount is %s', async (mountPath, message) => {
    await expect(bench.open({ method: 'approle', roleId: 'r', secretId: 's', mountPath })).rejects.toMatchObject(
      refusal(message),
    );
  });
});

describe('approle with a bootstrap token', () => {
  it('bootstrap token fetches role id and secret id with a minimal policy', async () => {
    const token = await bench.token({ policies: ['bootstrap'], no_default_policy: true });
    const session = await bench.open({ method: 'approle', secretId: { token, roleName: 'app' } });
    expect(session.policies).toEqual(['app', 'default']);
    const sent = bench.front.requests.map(({ method, url, headers }) => [method, url, headers['x-vault-token']]);
    expect(sent).toEqual([
      ['GET', '/v1/auth/approle/role/app/role-id', token],
      ['POST', '/v1/auth/approle/role/app/secret-id', token],
      ['POST', '/v1/auth/approle/login', undefined],
    ]);
    await session.close();
    // The bootstrap token is the user's.
    expect(await bench.status('GET', 'auth/approle/role/app/role-id', undefined, token)).toBe(200);
  });

  it('bootstrap token fetches a new secret id for every login, and keeps a configured role id', async () => {
    const token = await bench.token({ policies: ['bootstrap'] });
    const session = await open({ token, roleName: 'app' });
    await session.relogin();
    expect(bench.sent('/role-id')).toHaveLength(0);
    expect(bench.sent('/secret-id')).toHaveLength(2);
    const bodies = bench.sent('/login').map(({ body }) => (JSON.parse(body) as { secret_id: string }).secret_id);
    expect(new Set(bodies).size).toBe(2);
  });

  it('bootstrap token error names a missing permission or a missing role', async () => {
    const poor = await bench.token({ policies: ['default'] });
    await expect(open({ token: poor, roleName: 'app' })).rejects.toMatchObject({
      code: 'VAULT_PERMISSION_DENIED',
      policyDenied: true,
      message: expect.stringMatching(
        /bootstrap token.*path "auth\/approle\/role\/app\/secret-id" \{ capabilities = \["create", "update"\] \}/,
      ) as unknown,
    });
    const able = await bench.token({ policies: ['root'] });
    await expect(bench.open({ method: 'approle', secretId: { token: able, roleName: 'ap' } })).rejects.toMatchObject({
      code: expect.stringMatching(/^VAULT_(NOT_FOUND|REQUEST)$/) as unknown,
      message: expect.stringContaining('role "ap"') as unknown,
    });
    for (const roleName of ['..', 'a/b', ''])
      await expect(open({ token: able, roleName })).rejects.toMatchObject({
        code: 'VAULT_INVALID_PATH',
        message: expect.stringContaining('auth.secretId.roleName') as unknown,
      });
  });
});

describe('approle with a wrapped secret id', () => {
  const at = (mount = 'approle') => `auth/${mount}/role/app/secret-id`;

  it('wrapped secret id is unwrapped once, on any mount and in a namespace, and kept for later logins', async () => {
    for (const more of [{}, { mountPath: NESTED }, { namespace: 'org' }] as {
      mountPath?: string;
      namespace?: string;
    }[]) {
      await bench.reset();
      const wrapped = await bench.wrap(at(more.mountPath), more);
      const session = await open({ wrapped }, more);
      const first = session.accessor;
      await Promise.all([session.relogin(), session.relogin()]);
      await session.relogin();
      expect(session.accessor).not.toBe(first);
      expect([unwraps(), bench.sent('/login').length]).toEqual([1, 3]);
    }
  });

  it.each([
    ['used up', async (token: string) => void (await opens(token)), '300s'],
    ['expired', (token: string) => bench.until(400, 'POST', 'sys/wrapping/lookup', { token }), '1s'],
  ])('wrapped secret id error reports a wrapping token that is %s and may be stolen', async (_name, spend, ttl) => {
    const wrapped = await bench.wrap(at(), { ttl });
    await spend(wrapped);
    await expect(open({ wrapped })).rejects.toMatchObject(
      refusal(/wrapping token has been used already, or has expired.*somebody else may have.*issue a new one/, {
        reason: 'wrapping-token-invalid',
      }),
    );
    expect(unwraps()).toBe(0);
  });

  it('wrapped secret id error reports a token that is not a wrapping token', async () => {
    const wrapped = await bench.token();
    await expect(open({ wrapped })).rejects.toMatchObject(
      refusal(/wrapping token/, { reason: 'wrapping-token-invalid' }),
    );
    expect(await bench.status('GET', 'auth/token/lookup-self', undefined, wrapped)).toBe(200);
  });

  it.each<[string, string]>([
    ['another token', 'auth/token/create'],
    ['a secret id of another mount', at(NESTED)],
    ['data of the one who wrapped it', 'sys/wrapping/wrap'],
  ])('wrapped secret id is not unwrapped when the token wraps %s', async (_name, path) => {
    const wrapped = await bench.wrap(path);
    await expect(open({ wrapped })).rejects.toMatchObject(
      refusal(new RegExp(`made at "${path}", not at "auth/approle/role/…/secret-id"\\. It was not opened`), {
        reason: 'wrapping-token-origin',
      }),
    );
    expect(unwraps()).toBe(0);
    expect(await opens(wrapped)).toBe(true);
  });

  it('wrapped secret id is unwrapped on a later attempt after a server error', async () => {
    const wrapped = await bench.wrap(at());
    const auth = { method: 'approle', roleId: await roleId(), secretId: { wrapped } } as const;
    const session = await bench.open({ method: 'token', token: bench.server.rootToken });
    expect(session.state).toBe('active');
    bench.front.answerWith(json(500, { errors: ['not now'] }));
    await expect(bench.open(auth)).rejects.toMatchObject({ code: 'VAULT_SERVER' });
    bench.front.answerWith(forwardTo(bench.server.endpoint));
    expect((await bench.open(auth)).state).toBe('active');
  });

  it('wrapped secret id that is used up is replaced by the next wrapping token', async () => {
    await bench.server.request('POST', 'auth/approle/role/once', { token_policies: 'app', secret_id_num_uses: 1 });
    const id = (await bench.ask('GET', 'auth/approle/role/once/role-id'))['role_id'] as string;
    let wrapped = await bench.wrap('auth/approle/role/once/secret-id');
    const session = await open({ wrapped: () => wrapped }, { roleId: id });
    await expect(session.relogin()).rejects.toMatchObject(refusal(/used up/));
    const { accessor } = session;
    wrapped = await bench.wrap('auth/approle/role/once/secret-id');
    await session.relogin();
    expect(session.accessor).not.toBe(accessor);
    expect(unwraps()).toBe(2);
  });

  it('wrapped secret id is kept after a failed login, and after its source is gone', async () => {
    const wrapped = await bench.wrap(at());
    let given: string | undefined = wrapped;
    let failures = 1;
    bench.intercept((request, response, forward) =>
      request.url.endsWith('/login') && failures-- > 0
        ? json(500, { errors: ['not now'] })(request, response)
        : forward(),
    );
    const method = createLoginMethod({
      method: 'approle',
      roleId: await roleId(),
      secretId: { wrapped: () => given ?? Promise.reject(new Error('gone')) },
    });
    const client = bench.clientOf(await bench.open({ method: 'token', token: bench.server.rootToken }));
    await expect(method.login(client)).rejects.toMatchObject({ code: 'VAULT_SERVER' });
    await method.login(client);
    given = undefined;
    await method.login(client);
    given = await bench.token();
    await method.login(client);
    expect(unwraps()).toBe(1);
  });

  it('wrapped secret id error reports a response without a secret id', async () => {
    const wrapped = await bench.wrap(at());
    bench.front.answerWith(
      forwardTo(bench.server.endpoint, {
        intercept: (request, response, forward) =>
          request.url.endsWith('/unwrap') ? json(200, { data: { secret_id: 7 } })(request, response) : forward(),
      }),
    );
    await expect(open({ wrapped })).rejects.toMatchObject(refusal(/holds no "secret_id"/));
    expect(bench.sent('/login')).toEqual([]);
  });
});
