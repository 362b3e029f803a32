import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthBench } from '../support/auth-bench.js';
import { createJwtIssuer, seconds } from '../support/jwt-issuer.js';
import type { TokenReviewServer } from '../support/token-review-server.js';
import { startTokenReviewServer } from '../support/token-review-server.js';

const environment = { ...process.env };
const issuer = createJwtIssuer();
const stranger = createJwtIssuer();
const ACCOUNT = 'system:serviceaccount:shop:cart';

let bench: AuthBench;
let cluster: TokenReviewServer;
let folder: string;

const refusal = (reason: string | undefined, message: RegExp) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  ...(reason !== undefined && { reason }),
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'auth-jwt-'));
  [bench, cluster] = await Promise.all([AuthBench.start(), startTokenReviewServer()]);
  const { server } = bench;
  for (const [mount, type] of Object.entries({ jwt: 'jwt', 'ci/jwt': 'jwt', strict: 'jwt', kubernetes: 'kubernetes' }))
    await server.request('POST', `sys/auth/${mount}`, { type });
  for (const [mount, role] of [
    ['jwt', 'app'],
    ['ci/jwt', 'app'],
    ['strict', 'app'],
  ] as const) {
    await server.request('POST', `auth/${mount}/config`, {
      jwt_validation_pubkeys: [issuer.publicKey],
      bound_issuer: 'ci',
      ...(mount !== 'strict' && { default_role: role }),
    });
    await server.request('POST', `auth/${mount}/role/${role}`, {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['vault'],
      bound_claims: { ref: 'main' },
      token_policies: `of-${mount.replace('/', '-')}`,
    });
  }
  await server.request('POST', 'auth/kubernetes/config', {
    kubernetes_host: cluster.endpoint,
    kubernetes_ca_cert: cluster.ca,
    token_reviewer_jwt: issuer.sign({ sub: 'reviewer' }),
    disable_local_ca_jwt: true,
  });
  await server.request('POST', 'auth/kubernetes/role/cart', {
    bound_service_account_names: ['cart'],
    bound_service_account_namespaces: ['shop'],
    token_policies: 'of-cart',
  });
});
afterEach(async () => {
  process.env = { ...environment };
  cluster.reviewed.length = 0;
  await bench.reset();
});
afterAll(async () => {
  await cluster.close();
  await bench.stop();
  await rm(folder, { recursive: true });
});

const claims = { iss: 'ci', sub: 'build-7', aud: 'vault', ref: 'main' };
const thrown = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error;
};

describe('jwt', () => {
  it('login with jwt reads a file, a variable or a function; role and mount are optional', async () => {
    const jwt = issuer.sign(claims);
    const file = join(folder, 'jwt');
    await writeFile(file, `${jwt}\n`);
    process.env['CI_JWT'] = jwt;
    for (const [auth, policy] of [
      [{ jwt: { file }, role: 'app' }, 'of-jwt'],
      [{ jwt: { env: 'CI_JWT' } }, 'of-jwt'],
      [{ jwt: () => Promise.resolve(jwt), mountPath: 'ci/jwt' }, 'of-ci-jwt'],
    ] as const)
      expect((await bench.open({ method: 'jwt', ...auth })).policies).toEqual(['default', policy]);
    expect(
      bench.front.requests.map(({ body, headers }) => [JSON.parse(body) as unknown, headers['x-vault-token']]),
    ).toEqual([
      [{ jwt, role: 'app' }, undefined],
      [{ jwt }, undefined],
      [{ jwt }, undefined],
    ]);
  });

  it('login with jwt reads the JWT every time', async () => {
    const file = join(folder, 'rotated');
    await writeFile(file, issuer.sign(claims));
    const session = await bench.open({ method: 'jwt', jwt: { file } });
    const second = issuer.sign({ ...claims, sub: 'build-8' });
    await writeFile(file, second);
    await session.relogin();
    expect(JSON.parse(bench.sent('/login')[1]?.body ?? '')).toEqual({ jwt: second });
  });

  it.each<[string, string | undefined, () => string, RegExp]>([
    ['has expired', 'jwt-expired', () => issuer.sign({ ...claims, exp: seconds(-600), nbf: seconds(-900) }), /\(exp\).*The JWT from the function given in the options expired 10 minutes ago\..*asked at every login/],
    ['is not valid yet', 'jwt-not-yet-valid', () => issuer.sign({ ...claims, nbf: seconds(900), exp: seconds(1800) }), /not valid before 15 minutes from now\. Check the clocks/],
    ['is for somebody else', 'jwt-audience', () => issuer.sign({ ...claims, aud: 'other' }), /The audience \("aud"\).*is "other".*"bound_audiences"/],
    ['comes from somebody else', 'jwt-issuer', () => issuer.sign({ ...claims, iss: 'elsewhere' }), /The issuer \("iss"\).*is "elsewhere".*"bound_issuer"/],
    ['has the signature of a stranger', 'jwt-signature', () => stranger.sign(claims), /No key of the auth mount has signed the JWT/],
    ['has other claims than the role wants', undefined, () => issuer.sign({ ...claims, ref: 'fork' }), /Check "auth\.jwt" and "auth\.role": claims/],
    ['lacks a claim', undefined, () => issuer.sign({ ...claims, sub: undefined }), /claim "sub" not found.*claims/],
  ])('login with jwt rejects a JWT that %s', async (_name, reason, jwt, message) => {
    const token = jwt();
    const error = await thrown(bench.open({ method: 'jwt', jwt: () => token }));
    expect(error).toMatchObject(refusal(reason, message));
    expect(error.message).not.toContain(token.split('.')[1]);
  }); // prettier-ignore

  it('login with jwt error advises to check the clocks when only the server rejects the times', async () => {
    for (const [said, reason] of [
      ['error validating token: invalid expiration time (exp) claim: token is expired', 'jwt-expired'],
      ['error validating token: invalid not before (nbf) claim: token not yet valid', 'jwt-not-yet-valid'],
    ] as const) {
      bench.front.answerWith((_request, response) => {
        response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [said] }));
      });
      const error = await thrown(bench.open({ method: 'jwt', jwt: issuer.sign(claims) }));
      expect(error).toMatchObject(refusal(reason, /Synchronize them/));
    }
  });

  it('login with jwt error names a missing role, mount or namespace', async () => {
    const jwt = issuer.sign(claims);
    const open = (more: object) => bench.open({ method: 'jwt', jwt, ...more });
    await expect(open({ role: 'nope' })).rejects.toMatchObject(
      refusal('role', /Check "auth\.role": the role "nope" does not exist at this mount \("bao list auth\/jwt\/role"/),
    );
    await expect(open({ mountPath: 'strict' })).rejects.toMatchObject(
      refusal('role', /Set "auth\.role", or "default_role"/),
    );
    await expect(open({ mountPath: 'nowhere' })).rejects.toMatchObject(
      refusal(undefined, /of type "jwt" is enabled at "nowhere"/),
    );
    await expect(open({ namespace: 'nope' })).rejects.toMatchObject(
      refusal('namespace', /The Vault namespace "nope" does not exist on this server\. Check "auth\.namespace"/),
    );
  });

  it.each(['abc', 'a.b', 'a.b.c.d', 'a b.c.d', `${'x'.repeat(40)}`, '..'])(
    'that is none, %j, is never sent',
    async (jwt) => {
      const error = await thrown(bench.open({ method: 'jwt', jwt }));
      expect(error).toMatchObject(
        refusal('jwt-malformed', /"auth\.jwt": what the value given in the options holds is not a JWT/),
      );
      expect(bench.front.requests).toEqual([]);
    },
  );

  it('login with jwt sends a JWT without readable claims to the server', async () => {
    for (const part of ['bnVsbA', 'WzFd', '_w', Buffer.from('{"exp":"soon","aud":[').toString('base64url')])
      await expect(bench.open({ method: 'jwt', jwt: `x.${part}.x` })).rejects.toMatchObject(
        refusal(undefined, /status 400/),
      );
  });
});

describe('kubernetes', () => {
  const account = (more: object = {}, name = 'cart') =>
    issuer.sign({
      iss: 'https://kubernetes.default.svc.cluster.local',
      aud: ['https://kubernetes.default.svc'],
      sub: `system:serviceaccount:shop:${name}`,
      'kubernetes.io': { namespace: 'shop', serviceaccount: { name, uid: 'u-1' } },
      ...more,
    });
  const confirmed = (_token: string, audiences: readonly string[]) => ({
    authenticated: true,
    user: { username: ACCOUNT, uid: 'u-1' },
    audiences: audiences.length > 0 ? audiences : ['https://kubernetes.default.svc'],
  });

  it('login with kubernetes reads the service account token every time', async () => {
    cluster.review = confirmed;
    const file = join(folder, 'sa-token');
    const first = account();
    await writeFile(file, `${first}\n`);
    const session = await bench.open({ method: 'kubernetes', role: 'cart', jwt: { file } });
    expect(session.policies).toEqual(['default', 'of-cart']);
    const second = account({ jti: 'second' });
    await writeFile(file, second);
    await session.relogin();
    expect(cluster.reviewed).toEqual([first, second]);
    expect(bench.sent('/login').map(({ url }) => url)).toEqual(Array(2).fill('/v1/auth/kubernetes/login'));
  });

  it('login with kubernetes error explains a missing default token file', async () => {
    await expect(bench.open({ method: 'kubernetes', role: 'cart' })).rejects.toMatchObject(
      refusal(
        'ENOENT',
        /\/var\/run\/secrets\/kubernetes\.io\/serviceaccount\/token.*"automountServiceAccountToken".*Outside of Kubernetes/,
      ),
    );
    const other = bench.open({ method: 'kubernetes', role: 'cart', jwt: { file: join(folder, 'absent') } });
    await expect(other).rejects.toMatchObject(
      refusal('ENOENT', /absent" \(ENOENT\)\. There is no such file: [^.]*\.$/),
    );
  });

  it.each<[string, string | undefined, () => string, RegExp]>([
    ['its token has expired', 'jwt-expired', () => account({ exp: seconds(-600), nbf: seconds(-900) }), /expired 10 minutes ago.*subPath mount keeps the first one/],
    ['its token is not valid yet', 'jwt-not-yet-valid', () => account({ nbf: seconds(900), exp: seconds(999) }), /Check the clocks/],
    ['the role is for another account', 'service-account', () => account({}, 'thief'), /token is that of "system:serviceaccount:shop:thief"\. The role "cart" is bound to others.*"bound_service_account_names"/],
  ])('login with kubernetes is rejected when %s', async (_name, reason, jwt, message) => {
    cluster.review = confirmed;
    await expect(bench.open({ method: 'kubernetes', role: 'cart', jwt: jwt() })).rejects.toMatchObject(refusal(reason, message));
  }); // prettier-ignore

  it('login with kubernetes error advises what to check when the cluster does not confirm the token', async () => {
    for (const review of [() => ({ authenticated: false, error: 'token has expired' }), () => 401, () => 403]) {
      cluster.review = review;
      await expect(bench.open({ method: 'kubernetes', role: 'cart', jwt: account() })).rejects.toMatchObject(
        refusal(
          undefined,
          /system:serviceaccount:shop:cart".*may not have confirmed.*token_reviewer_jwt.*auth\/kubernetes\/config/,
        ),
      );
    }
    expect(cluster.reviewed.length).toBeGreaterThanOrEqual(3);
    await expect(bench.open({ method: 'kubernetes', role: 'nope', jwt: account() })).rejects.toMatchObject(
      refusal('role', /the role "nope" does not exist/),
    );
  });
});
