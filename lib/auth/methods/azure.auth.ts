import type { Requester } from '../../client/vault-client.js';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { Credential } from '../credential.js';
import { checkCredential, resolveCredential } from '../credential.js';
import type { Login, LoginMethod, LoginMethodDefinition, MountedLoginOptions } from '../login.js';
import { MOUNTED_LOGIN_OPTIONS, authMountPath, requireOptions } from '../login.js';
import { submitLogin } from '../submit-login.js';
import { requestMetadata, joinUrl, parseAddress, readObject } from './metadata.js';
import type { AzureTokenSource } from './azure-token.js';
import { azureMetadataAddress, detectAzureTokenSource, fetchAzureToken } from './azure-token.js';
import type { MetadataRequest } from './metadata.js';
import { nonEmptyString, oneOf } from '../../options/check-options.js';

/**
 * A managed identity of Azure. The proof is an access token, fetched again at every login.
 * @see https://developer.hashicorp.com/vault/api-docs/auth/azure#login
 * @publicApi
 */
export interface AzureAuth extends MountedLoginOptions {
  readonly method: 'azure';
  readonly role: string;
  /**
   * Audience of the token; it must match `resource` in the server's auth/azure/config. Default:
   * `https://management.azure.com/`.
   */
  readonly resource?: string;
  /**
   * Source of the token. Default: `workload-identity` if `AZURE_FEDERATED_TOKEN_FILE` is set, `app-service` (App
   * Service, Functions, Container Apps) if `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are set, else
   * `instance-metadata`.
   */
  readonly source?: AzureTokenSource;
  /** Selects one of several identities. Default: the only one; with workload identity `AZURE_CLIENT_ID`. */
  readonly clientId?: string;
  /** The same, by object id. */
  readonly objectId?: string;
  /** Tenant of a workload identity. Default: `AZURE_TENANT_ID`. */
  readonly tenantId?: string;
  /** An access token from another source, such as `@azure/identity`. Default: the token is fetched from `source`. */
  readonly jwt?: Credential;
  /**
   * Default: with the source `instance-metadata` it is read from there, else not sent. The same applies to the next
   * three.
   */
  readonly subscriptionId?: string;
  readonly resourceGroupName?: string;
  readonly vmName?: string;
  readonly vmssName?: string;
  /** Full id of an Azure resource other than a machine, for roles that are bound to one. Default: not sent. */
  readonly resourceId?: string;
  /** Address of the instance metadata service. Default: `http://169.254.169.254`. */
  readonly metadataEndpoint?: string;
}

/** @internal */
export class AzureLogin implements LoginMethod {
  readonly method = 'azure';
  readonly #options: AzureAuth;
  readonly #mountPath: string;

  constructor(options: AzureAuth) {
    this.#options = options;
    this.#mountPath = authMountPath('azure', options);
    if (options.metadataEndpoint !== undefined) parseAddress(options.metadataEndpoint, '"auth.metadataEndpoint"');
    if (options.clientId !== undefined && options.objectId !== undefined)
      throw new VaultInvalidOptionError('"auth.clientId" and "auth.objectId" both name an identity. Keep one of them.');
    if (options.source === 'workload-identity' && options.objectId !== undefined)
      throw new VaultInvalidOptionError('"auth.objectId" cannot name a workload identity. Use "auth.clientId".');
    if (options.jwt !== undefined && options.source !== undefined)
      throw new VaultInvalidOptionError(
        '"auth.jwt" is the token itself, so "auth.source" is never asked. Keep one of them.',
      );
  }

  async login(client: Requester, signal?: AbortSignal): Promise<Login> {
    const { role } = this.#options;
    // Sequential, so that an error of the token request takes precedence.
    const jwt = await this.#jwt(signal);
    const location = await this.#location(signal);
    return submitLogin(client, {
      method: 'azure',
      mountPath: this.#mountPath,
      path: 'login',
      body: { role, jwt, ...location },
      options: this.#options,
      advice:
        'Check "auth.role" and what it is bound to, and that "auth.resource" is the resource in auth/<mount>/config of the server. ' +
        'Roles bound to a subscription or resource group need to be told the machine (options "subscriptionId" and so on).',
      signal,
    });
  }

  #jwt(signal: AbortSignal | undefined): Promise<string> {
    const { jwt, resource = 'https://management.azure.com/', metadataEndpoint } = this.#options;
    if (jwt !== undefined) return resolveCredential(jwt, 'auth.jwt');
    const { clientId, objectId, tenantId } = this.#options;
    return fetchAzureToken(this.#source(), { resource, clientId, objectId, tenantId, metadataEndpoint, signal });
  }

  /** Explicit options take precedence; the rest is read from instance metadata. */
  async #location(signal: AbortSignal | undefined): Promise<AzureLocation> {
    const { subscriptionId, resourceGroupName, vmName, vmssName, resourceId, jwt, metadataEndpoint } = this.#options;
    const named = (vmName ?? vmssName ?? resourceId) !== undefined;
    const complete = named && subscriptionId !== undefined && resourceGroupName !== undefined;
    const ask = !complete && jwt === undefined && this.#source() === 'instance-metadata';
    const found = ask ? await fetchAzureInstance(metadataEndpoint, signal) : {};
    return {
      subscription_id: subscriptionId ?? found.subscription_id,
      resource_group_name: resourceGroupName ?? found.resource_group_name,
      // A configured name is not combined with a detected one: the server would prefer that of a scale set.
      vm_name: named ? vmName : found.vm_name,
      vmss_name: named ? vmssName : found.vmss_name,
      resource_id: resourceId,
    };
  }

  #source(): AzureTokenSource {
    return this.#options.source ?? detectAzureTokenSource();
  }
}

/** @internal */
export const azure: LoginMethodDefinition<AzureAuth> = {
  shape: {
    ...MOUNTED_LOGIN_OPTIONS,
    role: nonEmptyString,
    resource: nonEmptyString,
    source: oneOf('instance-metadata', 'app-service', 'workload-identity'),
    clientId: nonEmptyString,
    objectId: nonEmptyString,
    tenantId: nonEmptyString,
    jwt: checkCredential,
    subscriptionId: nonEmptyString,
    resourceGroupName: nonEmptyString,
    vmName: nonEmptyString,
    vmssName: nonEmptyString,
    resourceId: nonEmptyString,
    metadataEndpoint: nonEmptyString,
  },
  platformVariables: ({ jwt }) => (jwt === undefined ? ['IDENTITY_HEADER'] : []),
  create: (auth) => new AzureLogin(requireOptions(auth, 'role')),
};

/** Location of the machine, as fields of Vault's login request. @internal */
export interface AzureLocation {
  readonly subscription_id?: string | undefined;
  readonly resource_group_name?: string | undefined;
  readonly vm_name?: string | undefined;
  readonly vmss_name?: string | undefined;
  readonly resource_id?: string | undefined;
}

/**
 * Reads the location of this machine.
 *
 * @throws VaultAuthenticationError when this is not an Azure machine
 * @see https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
 * @internal
 */
export async function fetchAzureInstance(
  address: string | undefined,
  signal: AbortSignal | undefined,
): Promise<AzureLocation> {
  const request: MetadataRequest = {
    operation: 'read the metadata of this machine',
    service: 'the Azure instance metadata service',
    url: joinUrl(azureMetadataAddress(address), '/metadata/instance', { 'api-version': '2021-02-01', format: 'json' }),
    headers: { metadata: 'true' },
    unreachableAdvice: 'This is not running on an Azure machine, or metadata is blocked.',
    rejectedAdvice:
      'Give "auth.subscriptionId", "auth.resourceGroupName" and "auth.vmName" (or "auth.vmssName") yourself.',
    signal,
  };
  const compute = Object(readObject(await requestMetadata(request), request)['compute']) as Record<string, unknown>;
  const text = (field: string): string | undefined => {
    const value = compute[field];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  return {
    subscription_id: text('subscriptionId'),
    resource_group_name: text('resourceGroupName'),
    vm_name: text('name'),
    vmss_name: text('vmScaleSetName'),
  };
}
