import { VaultAuthenticationError } from '../../../errors/index.js';
import { below, checkAddress } from './address.js';
import type { MetadataRequest } from './metadata.js';
import { askMetadata } from './metadata.js';

/** Fields of an EC2 login that prove which instance asks. @internal */
export type Ec2Proof = { readonly pkcs7: string } | { readonly identity: string; readonly signature: string };

const FOLDER = '/latest/dynamic/instance-identity';

/**
 * Fetches the signed identity document of this machine, with a session token of the metadata service (IMDSv2).
 *
 * @param address option `metadataEndpoint`; default: as the AWS SDKs read it from the environment
 * @throws VaultAuthenticationError when this is no EC2 instance, or its metadata service is off
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 * @internal
 */
export async function fetchEc2Proof(
  signature: 'pkcs7' | 'rsa2048' | 'identity',
  address: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Ec2Proof> {
  const service = addressOf(address);
  const common = {
    service: 'the EC2 instance metadata service',
    absent:
      'This is not running on an EC2 instance, or metadata is blocked. In a container the hop limit of the service has to be 2: ' +
      'aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2. Elsewhere use type "iam".',
    refused:
      'Check that this is an EC2 instance whose metadata service is enabled, and the address in "auth.metadataEndpoint".',
    signal,
  };
  const session: MetadataRequest = {
    ...common,
    operation: 'open a metadata session',
    method: 'PUT',
    url: below(service, '/latest/api/token'),
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60', 'content-length': '0' },
  };
  const token = (await askMetadata(session)).text.trim();
  const read = async (name: string): Promise<string> => {
    const { text } = await askMetadata({
      ...common,
      operation: `read the ${name === 'document' ? 'identity document' : `${name} signature`} of this instance`,
      url: below(service, `${FOLDER}/${name}`),
      headers: { 'x-aws-ec2-metadata-token': token },
      secrets: [token],
    });
    return text;
  };
  // Vault takes both kinds of PKCS#7 in one field, without line breaks.
  if (signature !== 'identity') return { pkcs7: oneLine(await read(signature)) };
  const [document, proof] = await Promise.all([read('document'), read('signature')]);
  // Byte for byte: the signature is over exactly this text.
  return { identity: Buffer.from(document).toString('base64'), signature: oneLine(proof) };
}

function addressOf(given: string | undefined): URL {
  if (given !== undefined) return checkAddress(given, '"auth.metadataEndpoint"');
  const { AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT, AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE } =
    process.env;
  if (AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') {
    throw new VaultAuthenticationError(
      'Cannot log in with "aws" of type "ec2": AWS_EC2_METADATA_DISABLED forbids to ask the instance metadata service. Unset it, or use type "iam".',
    );
  }
  if (AWS_EC2_METADATA_SERVICE_ENDPOINT)
    return checkAddress(AWS_EC2_METADATA_SERVICE_ENDPOINT, 'AWS_EC2_METADATA_SERVICE_ENDPOINT');
  return new URL(
    AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE?.toLowerCase() === 'ipv6'
      ? 'http://[fd00:ec2::254]'
      : 'http://169.254.169.254',
  );
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, '');
}
