import type * as Chain from '@aws-sdk/credential-provider-node';
import { ABORTED, race, TIMED_OUT } from '../../lifetime/race.js';
import { interop, missingPackage } from '../../options/optional-package.js';
import { VaultAbortedError, VaultAuthenticationError } from '../../errors/index.js';
import { failureKind } from '../../errors/redact.js';
import type { Credential } from '../credential.js';
import { checkCredential, resolveCredential } from '../credential.js';

/**
 * Credentials of an AWS principal, as the AWS SDK's own providers return them.
 * @publicApi
 */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Temporary credentials have one. */
  readonly sessionToken?: string | undefined;
}

/**
 * Where AWS credentials come from: each part from a place of its own, or all from a function, such as a provider of
 * `@aws-sdk/credential-providers`. It is asked again at every login.
 * @publicApi
 */
export type AwsCredentialSource =
  | {
      readonly accessKeyId: Credential;
      readonly secretAccessKey: Credential;
      readonly sessionToken?: Credential;
    }
  | (() => AwsCredentials | Promise<AwsCredentials>);

/** The chain tries files, processes and services in turn, some of which have no timeout. */
const CHAIN_TIMEOUT_MS = 15_000;
const METADATA_TIMEOUT_MS = 1_000;

/** Checks the option `credentials`. @internal */
export function checkAwsCredentials(value: unknown): string | undefined {
  if (typeof value === 'function') return undefined;
  const { accessKeyId, secretAccessKey, sessionToken, ...others } = (value ?? {}) as Record<string, unknown>;
  const right =
    typeof value === 'object' &&
    Object.keys(others).length === 0 &&
    [accessKeyId, secretAccessKey, sessionToken ?? ''].every((part) => checkCredential(part) === undefined);
  return right ? undefined : 'a function, or { accessKeyId, secretAccessKey, sessionToken } of credentials';
}

/**
 * Resolves the credentials to sign with: those in the options, or by default those of the AWS SDK's standard chain.
 *
 * @throws VaultAuthenticationError when there are none
 * @throws VaultInvalidOptionError when the chain is needed and its package is not installed
 * @internal
 */
export async function resolveAwsCredentials(
  source: AwsCredentialSource | undefined,
  signal: AbortSignal | undefined,
): Promise<AwsCredentials> {
  if (source === undefined)
    return assertComplete(await credentialsFromChain(signal), 'the standard chain of the AWS SDK');
  if (typeof source === 'function') {
    const given = await Promise.resolve()
      .then(source)
      .catch((error: unknown) => {
        throw new VaultAuthenticationError(
          `"auth.credentials": the function that supplies it failed (${failureKind(error)}).`,
        );
      });
    return assertComplete(given, 'the function in "auth.credentials"');
  }
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    resolveCredential(source.accessKeyId, 'auth.credentials.accessKeyId'),
    resolveCredential(source.secretAccessKey, 'auth.credentials.secretAccessKey'),
    source.sessionToken && resolveCredential(source.sessionToken, 'auth.credentials.sessionToken'),
  ]);
  return assertComplete({ accessKeyId, secretAccessKey, sessionToken }, '"auth.credentials"');
}

/** Creates a new chain for every login, because a provider caches its result and would miss a changed file. */
async function credentialsFromChain(signal: AbortSignal | undefined): Promise<AwsCredentials> {
  const { defaultProvider } = await loadChain();
  const chain = defaultProvider({ timeout: METADATA_TIMEOUT_MS, maxRetries: 2, ignoreCache: true })();
  // The message may quote files and the output of credential commands.
  const found = chain.catch((error: unknown) => {
    throw credentialsNotFound(failureKind(error));
  });
  const outcome = await race(found, { timeoutMs: CHAIN_TIMEOUT_MS, signal });
  if (outcome === TIMED_OUT) throw credentialsNotFound(`not within ${CHAIN_TIMEOUT_MS} ms`);
  if (outcome === ABORTED) throw new VaultAbortedError('Cannot find AWS credentials: the caller aborted it.');
  return outcome;
}

async function loadChain(): Promise<typeof Chain> {
  try {
    return interop(await import('@aws-sdk/credential-provider-node'), 'defaultProvider');
  } catch (error) {
    const purpose = 'The login method "aws" without "auth.credentials"';
    throw missingPackage('@aws-sdk/credential-provider-node@3', purpose, error);
  }
}

function credentialsNotFound(why: string): VaultAuthenticationError {
  return new VaultAuthenticationError(
    `Cannot find AWS credentials (${why}). This is not running on AWS with a role of its own, or the metadata service is blocked, and nothing else is configured. ` +
      'Give the pod, task or instance a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the option "auth.credentials". ' +
      'In a container on EC2 the hop limit of the instance metadata service has to be 2.',
    { reason: 'aws-credentials-not-found' },
  );
}

/** Asserts that both keys are set and all values can be sent in a header. */
function assertComplete(given: AwsCredentials | undefined, source: string): AwsCredentials {
  const { accessKeyId, secretAccessKey, sessionToken } = given ?? ({} as Partial<AwsCredentials>);
  const usable = (text: unknown): text is string => typeof text === 'string' && /^[\x21-\x7e]+$/.test(text);
  const missing = !usable(accessKeyId)
    ? 'accessKeyId'
    : !usable(secretAccessKey)
      ? 'secretAccessKey'
      : sessionToken !== undefined && !usable(sessionToken)
        ? 'sessionToken'
        : undefined;
  if (missing === undefined) return { accessKeyId, secretAccessKey, sessionToken } as AwsCredentials;
  throw new VaultAuthenticationError(
    `${source} gave no usable "${missing}": it has to be text without white space. Check where the credentials come from.`,
  );
}
