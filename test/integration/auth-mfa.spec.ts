import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { MfaPasscodes } from '../../lib/auth/mfa.js';
import { AuthBench } from '../support/auth-bench.js';
import { forwardTo, json } from '../support/fault-server.js';
import { totp } from '../support/totp.js';

let bench: AuthBench;
/** TOTP methods of the server by their name, with the address an authenticator app would scan. */
const phones: Record<string, { id: string; address: string }> = {};

const refusal = (reason: string, message: RegExp) => ({
  code: 'VAULT_AUTHENTICATION',
  message: expect.stringMatching(message) as unknown,
  reason,
});

beforeAll(async () => {
  bench = await AuthBench.start();
  const { server } = bench;
  await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await server.request('POST', 'auth/userpass/users/alice', { password: 'pw', token_policies: 'of-alice' });
  const mounts = await bench.ask<Record<string, { accessor: string }>>('GET', 'sys/auth');
  const accessor = mounts['userpass/']?.accessor;
  const { id: entity } = await bench.ask('POST', 'identity/entity', { name: 'alice' });
  await server.request('POST', 'identity/entity-alias', {
    name: 'alice',
    canonical_id: entity,
    mount_accessor: accessor,
  });
  for (const name of ['phone', 'tablet']) {
    const { method_id: id } = await bench.ask('POST', 'identity/mfa/method/totp', { method_name: name, issuer: 'test', period: 30 });
    const { url } = await bench.ask('POST', 'identity/mfa/method/totp/admin-generate', { method_id: id, entity_id: entity });
    phones[name] = { id: id as string, address: url as string };
    await server.request('POST', `identity/mfa/login-enforcement/needs-${name}`, { mfa_method_ids: [id], auth_method_accessors: [accessor] });
  } // prettier-ignore
});
afterEach(() => bench.reset());
afterAll(() => bench.stop());

const open = (mfa?: MfaPasscodes) =>
  bench.open({ method: 'userpass', username: 'alice', password: 'pw', ...(mfa && { mfa }) });
const passcode = (name: string) => () => totp(phones[name]?.address ?? '');
/** A server that wants these methods, and accepts whatever is sent as second factor. */
const wants = (mfa_constraints: unknown, more: object = {}): void =>
  bench.front.answerWith((request, response) =>
    json(
      200,
      request.url.endsWith('sys/mfa/validate')
        ? { auth: { client_token: 's.from-validate', policies: ['default'] } }
        : { auth: { client_token: '', mfa_requirement: { mfa_request_id: randomUUID(), mfa_constraints, ...more } } },
    )(request, response),
  );
const payload = (): unknown =>
  (JSON.parse(bench.sent('sys/mfa/validate')[0]?.body ?? '{}') as { mfa_payload?: unknown }).mfa_payload;

describe('a second factor', () => {
  it('login supplies a second factor for every enforcement without sending a token', async () => {
    const { tablet } = phones;
    const session = await open({ phone: passcode('phone'), [tablet?.id ?? '']: passcode('tablet') });
    expect(session.policies).toEqual(['default', 'of-alice']);
    const [request] = bench.sent('sys/mfa/validate');
    expect(request?.headers['x-vault-token']).toBeUndefined();
    expect(Object.keys(payload() as object).sort()).toEqual(
      Object.values(phones)
        .map(({ id }) => id)
        .sort(),
    );
    await session.close();
    expect(bench.sent('revoke-self')).toHaveLength(1);
  });

  it.each<[string, MfaPasscodes | undefined, RegExp]>([
    ['nothing is configured', undefined, /totp "phone" \(id [\w-]{36}\) for the enforcement "needs-phone"/],
    ['one of two is configured', { phone: '000000' }, /totp "tablet" \(id [\w-]{36}\) for the enforcement "needs-tablet".*Set "auth\.mfa"/],
    ['another type is configured', { duo: '000000' }, /credentials were accepted, but the server wants a second factor/],
  ])('login error names a missing second factor: %s', async (_name, mfa, message) => {
    await expect(open(mfa)).rejects.toMatchObject(refusal('mfa-required', message));
    expect(bench.sent('sys/mfa/validate')).toEqual([]);
  }); // prettier-ignore

  it('login error reports a rejected passcode without quoting it', async () => {
    const error: unknown = await open({ totp: () => '123456' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(
      refusal(
        'mfa-refused',
        /refused \(status 403\)\. The passcode from the function given in the options and the function.*counts once/,
      ),
    );
    expect((error as Error).message).not.toContain('123456');
  });

  it('login uses the configured method of an enforcement, and no passcode for a push', async () => {
    const any = [
      { type: 'totp', id: 'id-1', uses_passcode: true, name: 'a' },
      { type: 'duo', id: 'id-2', uses_passcode: false },
      { type: 'okta', id: 'id-3', uses_passcode: true },
    ];
    wants({ staff: { any } });
    await open({ okta: '654321' });
    expect(payload()).toEqual({ 'id-3': ['654321'] });
    await bench.reset();
    wants({ staff: { any } });
    await open();
    expect(payload()).toEqual({ 'id-2': [] });
  });

  it('login resolves one passcode for two enforcements of the same method', async () => {
    let asked = 0;
    const same = { any: [{ type: 'totp', id: 'id-1', uses_passcode: true }] };
    wants({ one: same, two: same });
    await open({ totp: () => `00000${++asked}` });
    expect(payload()).toEqual({ 'id-1': ['000001'] });
  });

  it.each<[unknown, object]>([
    [undefined, {}],
    [null, {}],
    [{}, {}],
    [{ staff: null }, {}],
    [{ staff: { any: 7 } }, {}],
    [{ staff: { any: [null, 7, { type: 'totp' }] } }, {}],
    [{ staff: { any: [{ type: 'totp', id: 'x', uses_passcode: true }] } }, { mfa_request_id: 7 }],
    [Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`e${index}`, { any: [] }])), {}],
  ])('login error about an invalid MFA requirement is short', async (constraints, more) => {
    wants(constraints, more);
    const error: unknown = await open({ totp: '000000' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(refusal('mfa-required', /second factor/));
    expect((error as Error).message.length).toBeLessThan(2000);
  });

  it('login fails when the MFA response has no token or requires another factor', async () => {
    const requirement = {
      mfa_request_id: 'x',
      mfa_constraints: { one: { any: [{ type: 'totp', id: 'i', uses_passcode: true }] } },
    };
    const again = { auth: { client_token: '', mfa_requirement: requirement } };
    for (const answer of [{}, { auth: null }, again]) {
      bench.front.answerWith((request, response) =>
        json(200, request.url.endsWith('validate') ? answer : again)(request, response),
      );
      await expect(open({ totp: '000000' })).rejects.toMatchObject({ code: 'VAULT_AUTHENTICATION' });
    }
    bench.front.answerWith(
      forwardTo(bench.server.endpoint, {
        intercept: (request, response, forward) =>
          request.url.endsWith('validate') ? json(500, { errors: ['not now'] })(request, response) : forward(),
      }),
    );
    await expect(open({ totp: '000000' })).rejects.toMatchObject({ code: 'VAULT_SERVER' });
  });
});
