import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AzureAuth } from '../../lib/auth/methods/azure.auth.js';
import { renderError } from '../support/canary.js';
import { appIdentity, azureMetadata, entra, tokenFor } from '../support/cloud/azure.js';
import { useCloudBench } from '../support/cloud/cloud-bench.js';
import { cloudLogin } from '../support/cloud/cloud-login.js';
import { freePort } from '../support/fault-server.js';

const cloud = useCloudBench();
const { standIn, use } = cloud;
const MANAGEMENT = 'https://management.azure.com/';
const MACHINE = { subscriptionId: 'sub-1', resourceGroupName: 'group-1', name: 'vm-1', vmScaleSetName: '' };
const PLACE = { subscription_id: 'sub-1', resource_group_name: 'group-1' };

beforeEach(() =>
  cloud.bench.front.answerWith(cloudLogin(cloud.bench, 'azure', (body) => (body['jwt'] ? undefined : 'missing jwt'))),
);
const open = (more: Partial<AzureAuth> = {}) => cloud.bench.open({ method: 'azure', role: 'app', ...more });
const failure = async (work: Promise<unknown>): Promise<Error> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'VAULT_AUTHENTICATION' });
  return error as Error;
};
const logins = () => cloud.bench.sent('/login').map(({ body }) => JSON.parse(body) as unknown);

describe('azure instance metadata', () => {
  it('login sends a new token and the location of the machine', async () => {
    const metadata = await standIn(azureMetadata(MACHINE));
    use({ AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata.endpoint });
    const session = await open();
    await session.relogin();
    expect(session.policies).toContain('app');
    const place = { role: 'app', ...PLACE, vm_name: 'vm-1' };
    expect(logins()).toEqual([
      { ...place, jwt: tokenFor(MANAGEMENT, 'system', 1) },
      { ...place, jwt: tokenFor(MANAGEMENT, 'system', 2) },
    ]);
  });

  it.each<[string, Partial<AzureAuth>, object, object]>([
    ['in a scale set', {}, { name: 'set_0', vmScaleSetName: 'set' }, { ...PLACE, vm_name: 'set_0', vmss_name: 'set' }],
    ['a name of its own', { vmName: 'vm-2' }, { vmScaleSetName: 'set' }, { ...PLACE, vm_name: 'vm-2' }],
    ['a resource', { resourceId: '/subscriptions/x' }, {}, { ...PLACE, resource_id: '/subscriptions/x' }],
    ['a group of its own', { resourceGroupName: 'g' }, {}, { ...PLACE, resource_group_name: 'g', vm_name: 'vm-1' }],
    ['no metadata', {}, { subscriptionId: 7, resourceGroupName: null, name: {} }, {}],
  ])('login with %s', async (_, options, machine, place) => {
    const metadata = await standIn(azureMetadata({ ...MACHINE, ...machine }));
    await open({ metadataEndpoint: metadata.endpoint, ...options });
    expect(logins()).toEqual([{ role: 'app', jwt: tokenFor(MANAGEMENT, 'system', 1), ...place }]);
  });

  it('login reads no metadata when the location is configured', async () => {
    const metadata = await standIn(azureMetadata(MACHINE));
    const place = { subscriptionId: 's', resourceGroupName: 'g', vmssName: 'v' };
    await open({ metadataEndpoint: metadata.endpoint, ...place });
    expect(metadata.requests).toHaveLength(1);
    expect(logins()).toMatchObject([{ subscription_id: 's', resource_group_name: 'g', vmss_name: 'v' }]);
  });

  it('login uses the configured identity, resource, mount and namespace', async () => {
    const metadata = await standIn(azureMetadata(MACHINE));
    const metadataEndpoint = metadata.endpoint;
    cloud.bench.front.answerWith(cloudLogin(cloud.bench, 'team/azure', () => undefined));
    for (const identity of [{ clientId: 'client-1' }, { objectId: 'object-1' }]) {
      const options = { mountPath: 'team/azure', namespace: 'org', resource: 'api://vault' };
      const session = await open({ metadataEndpoint, ...options, ...identity });
      expect(await cloud.bench.alive(session.accessor, 'org')).toBe(true);
    }
    expect(logins()).toMatchObject([
      { jwt: tokenFor('api://vault', 'client-1', 1) },
      { jwt: tokenFor('api://vault', 'object-1', 2) },
    ]);
    expect((await failure(open({ metadataEndpoint, clientId: 'nobody' }))).message).toMatch(
      /status 400 \(Identity not found\)\. Check that this runs on Azure with a managed identity/,
    );
  });

  it('login error reports that this is not an Azure machine', async () => {
    expect(await failure(open({ metadataEndpoint: `http://127.0.0.1:${await freePort()}` }))).toMatchObject({
      reason: 'metadata-unreachable',
      message: expect.stringMatching(
        /ECONNREFUSED\. This is not running on an Azure machine, or metadata is blocked/,
      ) as unknown,
    });
    expect(cloud.bench.front.requests).toEqual([]);
  });
});

describe('azure token sources', () => {
  it('app-service source uses the identity endpoint only', async () => {
    const endpoint = await standIn(appIdentity('identity-secret'));
    use({ IDENTITY_ENDPOINT: `${endpoint.endpoint}/msi/token`, IDENTITY_HEADER: 'identity-secret' });
    await open();
    await open({ clientId: 'client-1', resourceId: '/subscriptions/x' });
    expect(logins()).toEqual([
      { role: 'app', jwt: tokenFor(MANAGEMENT, 'system', 1) },
      { role: 'app', jwt: tokenFor(MANAGEMENT, 'client-1', 1), resource_id: '/subscriptions/x' },
    ]);
    use({ IDENTITY_ENDPOINT: `${endpoint.endpoint}/msi/token`, IDENTITY_HEADER: 'wrong-identity-secret' });
    const error = await failure(open());
    expect(error.message).toMatch(/status 401 \(not \*\*\*\)/);
    expect(renderError(error)).not.toContain('wrong-identity-secret');
  });

  it('workload-identity source exchanges the current token file of the pod', async () => {
    const file = join(cloud.folder, 'token');
    let assertion = 'first-assertion';
    const authority = await standIn(entra(() => assertion));
    use({
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_CLIENT_ID: 'client-1',
      AZURE_TENANT_ID: 'tenant-1',
      AZURE_AUTHORITY_HOST: `${authority.endpoint}/`,
    });
    await writeFile(file, assertion);
    const session = await open();
    assertion = 'second-assertion';
    await writeFile(file, assertion);
    await session.relogin();
    expect(logins()).toEqual(Array(2).fill({ role: 'app', jwt: tokenFor(MANAGEMENT, 'client-1', 1) }));
    await writeFile(file, 'wrong-assertion');
    const error = await failure(session.relogin());
    expect(error.message).toMatch(/AADSTS70021 \*\*\*.*federated credential of the identity/);
    expect(renderError(error)).not.toContain('wrong-assertion');
  });

  it.each<[AzureAuth['source'] & string, Record<string, string>, RegExp]>([
    ['app-service', {}, /IDENTITY_HEADER is not set/],
    ['app-service', { IDENTITY_HEADER: 'x' }, /IDENTITY_ENDPOINT is not set/],
    ['workload-identity', {}, /AZURE_FEDERATED_TOKEN_FILE is not set/],
    [
      'workload-identity',
      { AZURE_FEDERATED_TOKEN_FILE: '/nonexistent' },
      /cannot read file "\/nonexistent" \(ENOENT\)/,
    ],
  ])('%s source error reports a missing variable: %j', async (source, environment, message) => {
    use(environment);
    expect((await failure(open({ source }))).message).toMatch(message);
  });

  it('login sends a configured token without any other request', async () => {
    let count = 0;
    const session = await open({ jwt: () => Promise.resolve(`token-${(count += 1)}`), vmName: 'vm-1' });
    await session.relogin();
    expect(logins()).toEqual([
      { role: 'app', jwt: 'token-1', vm_name: 'vm-1' },
      { role: 'app', jwt: 'token-2', vm_name: 'vm-1' },
    ]);
    expect((await failure(open({ jwt: '' }))).message).toContain('"auth.jwt" is empty');
  });
});
