import { azureMetadataAddress } from './azure-token.js';
import { below } from './address.js';
import type { MetadataRequest } from './metadata.js';
import { askMetadata, readObject } from './metadata.js';

/** Where somebody who logs in runs, in the words of Vault's login. @internal */
export interface AzurePlace {
  readonly subscription_id?: string | undefined;
  readonly resource_group_name?: string | undefined;
  readonly vm_name?: string | undefined;
  readonly vmss_name?: string | undefined;
  readonly resource_id?: string | undefined;
}

/**
 * Reads where this machine is.
 *
 * @throws VaultAuthenticationError when this is no Azure machine
 * @see https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
 * @internal
 */
export async function fetchAzureInstance(
  address: string | undefined,
  signal: AbortSignal | undefined,
): Promise<AzurePlace> {
  const request: MetadataRequest = {
    operation: 'read the metadata of this machine',
    service: 'the Azure instance metadata service',
    url: below(azureMetadataAddress(address), '/metadata/instance', { 'api-version': '2021-02-01', format: 'json' }),
    headers: { metadata: 'true' },
    absent: 'This is not running on an Azure machine, or metadata is blocked.',
    refused: 'Give "auth.subscriptionId", "auth.resourceGroupName" and "auth.vmName" (or "auth.vmssName") yourself.',
    signal,
  };
  const compute = Object(readObject(await askMetadata(request), request)['compute']) as Record<string, unknown>;
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
