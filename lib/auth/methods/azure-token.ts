import { VaultAuthenticationError } from '../../errors/index.js';
import { resolveCredential } from '../credential.js';
import { requestMetadata, joinUrl, parseAddress, readField, readObject } from './metadata.js';
import type { MetadataRequest } from './metadata.js';

/** Who hands out the tokens of a managed identity. @publicApi */
export type AzureTokenSource = 'instance-metadata' | 'app-service' | 'workload-identity';

/** Options of a token request. @internal */
export interface AzureTokenOptions {
  readonly resource: string;
  readonly clientId: string | undefined;
  readonly objectId: string | undefined;
  readonly tenantId: string | undefined;
  readonly metadataEndpoint: string | undefined;
  readonly signal: AbortSignal | undefined;
}

const LOGIN = 'https://login.microsoftonline.com';
const IDENTITY_ADVICE =
  'Check that this runs on Azure with a managed identity; with several, name one in "auth.clientId" or "auth.objectId".';

/** Detects the token source from the variables that the platform sets. @internal */
export function detectAzureTokenSource(): AzureTokenSource {
  const { AZURE_FEDERATED_TOKEN_FILE, IDENTITY_ENDPOINT, IDENTITY_HEADER } = process.env;
  if (AZURE_FEDERATED_TOKEN_FILE) return 'workload-identity';
  return IDENTITY_ENDPOINT && IDENTITY_HEADER ? 'app-service' : 'instance-metadata';
}

/**
 * Fetches a new access token of a managed identity.
 *
 * @throws VaultAuthenticationError when there is no such identity here
 * @internal
 */
export async function fetchAzureToken(source: AzureTokenSource, options: AzureTokenOptions): Promise<string> {
  const request = await TOKEN_REQUESTS[source](options);
  return readField(readObject(await requestMetadata(request), request), 'access_token', request);
}

/** The address of the instance metadata service. @internal */
export function azureMetadataAddress(given: string | undefined): URL {
  if (given !== undefined) return parseAddress(given, '"auth.metadataEndpoint"');
  const set = process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'];
  return set ? parseAddress(set, 'AZURE_POD_IDENTITY_AUTHORITY_HOST') : new URL('http://169.254.169.254');
}

const TOKEN_REQUESTS: Readonly<
  Record<AzureTokenSource, (options: AzureTokenOptions) => MetadataRequest | Promise<MetadataRequest>>
> = {
  /** @see https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token */
  'instance-metadata': ({ resource, clientId, objectId, metadataEndpoint, signal }) => ({
    operation: 'get a token of the managed identity',
    service: 'the Azure instance metadata service',
    url: joinUrl(azureMetadataAddress(metadataEndpoint), '/metadata/identity/oauth2/token', {
      'api-version': '2018-02-01',
      resource,
      client_id: clientId,
      object_id: objectId,
    }),
    headers: { metadata: 'true' },
    unreachableAdvice:
      'This is not running on an Azure machine, or metadata is blocked. On AKS use workload identity; elsewhere give a token in "auth.jwt".',
    rejectedAdvice: IDENTITY_ADVICE,
    signal,
  }),

  /** @see https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference */
  'app-service': ({ resource, clientId, objectId, signal }) => {
    const secret = requireVariable('IDENTITY_HEADER', 'app-service');
    return {
      operation: 'get a token of the managed identity',
      service: 'the identity endpoint of the app (IDENTITY_ENDPOINT)',
      url: joinUrl(parseAddress(requireVariable('IDENTITY_ENDPOINT', 'app-service'), 'IDENTITY_ENDPOINT'), '', {
        'api-version': '2019-08-01',
        resource,
        client_id: clientId,
        principal_id: objectId,
      }),
      headers: { 'x-identity-header': secret },
      unreachableAdvice: 'Check that IDENTITY_ENDPOINT is the one the platform has set for this very app.',
      rejectedAdvice: IDENTITY_ADVICE,
      secrets: [secret],
      signal,
    };
  },

  /** @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
  'workload-identity': async ({ resource, clientId, tenantId, signal }) => {
    const file = requireVariable('AZURE_FEDERATED_TOKEN_FILE', 'workload-identity');
    const assertion = await resolveCredential({ file }, 'AZURE_FEDERATED_TOKEN_FILE');
    const tenant = tenantId ?? requireVariable('AZURE_TENANT_ID', 'workload-identity');
    const authority = parseAddress(process.env['AZURE_AUTHORITY_HOST'] || LOGIN, 'AZURE_AUTHORITY_HOST');
    return {
      operation: 'exchange the federated token for one of the managed identity',
      service: 'Microsoft Entra',
      method: 'POST',
      url: joinUrl(authority, `/${encodeURIComponent(tenant)}/oauth2/v2.0/token`),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId ?? requireVariable('AZURE_CLIENT_ID', 'workload-identity'),
        scope: `${resource}/.default`,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }).toString(),
      unreachableAdvice: 'Check that this pod may reach it directly (no proxy is used), and AZURE_AUTHORITY_HOST.',
      rejectedAdvice:
        'Check the federated credential of the identity: its issuer and subject have to be those of this pod’s service account.',
      secrets: [assertion],
      signal,
    };
  },
};

function requireVariable(variable: string, source: AzureTokenSource): string {
  const value = process.env[variable];
  if (value) return value;
  throw new VaultAuthenticationError(
    `Cannot get a token from the source "${source}": ${variable} is not set. This is not running there, or the identity is not assigned; else set "auth.source" to another one.`,
  );
}
