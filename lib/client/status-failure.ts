import type { VaultError } from '../errors/index.js';
import {
  VaultAuthenticationError,
  VaultBadResponseError,
  VaultCasMismatchError,
  VaultDeletedVersionError,
  VaultNotFoundError,
  VaultNotInitializedError,
  VaultPermissionError,
  VaultRateLimitedError,
  VaultRequestError,
  VaultSealedError,
  VaultServerError,
} from '../errors/index.js';
import { redact, secretsOf } from '../errors/redact.js';
import type { CallContext } from './network-failure.js';
import type { VaultRequest } from './vault-request.js';

const MOST_MESSAGES = 5;

/**
 * The typed error for an answer with an error status.
 *
 * @param sentToken the token that went with the request, so that a server that echoes it cannot make us print it
 * @see https://developer.hashicorp.com/vault/api-docs#http-status-codes
 * @internal
 */
export function statusFailure(
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: unknown },
  request: VaultRequest,
  sentToken: string | undefined,
  call: CallContext,
): VaultError {
  const { status, body } = answer;
  const said = messagesOf(body, request, sentToken);
  const details = { ...call, statusCode: status };
  const where = `Cannot ${call.operation} at ${call.endpoint}`;
  const because = said.length > 0 ? `: ${said.join('; ')} (status ${status}).` : `: status ${status}.`;

  switch (status) {
    case 400:
      if (said.some((text) => text.includes('check-and-set'))) {
        return new VaultCasMismatchError(
          `${where}${because} Somebody else wrote in between: read again, then write with the new version as "cas".`,
          details,
        );
      }
      break;
    case 401:
      return new VaultAuthenticationError(`${where}${because}`, details);
    case 403:
      return new VaultPermissionError(`${where}${because} ${policyAdvice(request)}`, {
        ...details,
        policyDenied: policyDenied(body),
      });
    case 404:
      return notFound(where, because, body, details);
    case 429:
      return new VaultRateLimitedError(`${where}${because} The server limits the rate of requests.`, {
        ...details,
        retryAfterMs: retryAfterMs(answer.headers['retry-after']),
      });
    case 501:
      return new VaultNotInitializedError(
        `${where}: the server is not initialised. Run "bao operator init" (or "vault operator init") once.`,
        details,
      );
    case 503:
      if (said.some((text) => /sealed/i.test(text))) {
        return new VaultSealedError(
          `${where}: the server is sealed. Unseal it ("bao operator unseal"), or set "unseal" in the module's options.`,
          details,
        );
      }
      break;
    case 301:
    case 302:
    case 307:
    case 308:
      return new VaultBadResponseError(`${where}: it redirects again after one redirect.`, details);
    default:
  }
  return status >= 500
    ? new VaultServerError(
        `${where}${because}${said.length === 0 ? ' The body is not Vault’s: a proxy or load balancer may have answered.' : ''}`,
        details,
      )
    : new VaultRequestError(`${where}${because}`, details);
}

/** The error for a success status whose body is not JSON. @internal */
export function notJson(status: number, contentType: string | undefined, text: string, call: CallContext): VaultError {
  const kind = contentType ? redact(contentType) : 'no content type';
  const why = contentType?.includes('json') ? 'the JSON is malformed or cut short' : `it is not JSON (${kind})`;
  const plainHttp = text.includes('HTTP request to an HTTPS server')
    ? ' The server speaks TLS: write "https://" in "endpoint".'
    : '';
  return new VaultBadResponseError(
    `Cannot ${call.operation} at ${call.endpoint}: the answer (status ${status}) is no answer of Vault, ${why}. ` +
      `Check that "endpoint" (VAULT_ADDR) is Vault itself and not a proxy, a login page or another service.${plainHttp}`,
    { ...call, statusCode: status },
  );
}

/** The stanza that would allow a request. @internal */
export function policyStanza(request: Pick<VaultRequest, 'method' | 'path' | 'query'>): string {
  let capabilities: string;
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      capabilities = request.query?.['list'] ? '"list"' : '"read"';
      break;
    case 'PATCH':
      capabilities = '"patch"';
      break;
    case 'DELETE':
      capabilities = '"delete"';
      break;
    case 'POST':
    case 'PUT':
      capabilities = '"create", "update"';
  }
  const path = request.path.split('/').map(decodeURIComponent).join('/');
  return `path ${JSON.stringify(path)} { capabilities = [${capabilities}] }`;
}

/** A failed policy check comes as a list ("1 error occurred: …"); a token the server does not know as the bare words. */
function policyDenied(body: unknown): boolean {
  const errors = (body as { errors?: unknown } | undefined)?.errors;
  return (
    Array.isArray(errors) &&
    errors.some((text) => typeof text === 'string' && /occurred/.test(text) && !/invalid token/.test(text))
  );
}

function policyAdvice(request: VaultRequest): string {
  return `If the token is still valid, its policies do not allow this. Add to one of them: ${policyStanza(request)}`;
}

function notFound(
  where: string,
  because: string,
  body: unknown,
  details: CallContext & { statusCode: number },
): VaultError {
  const metadata = objectAt(objectAt(body, 'data'), 'metadata');
  if (metadata) {
    const version = typeof metadata['version'] === 'number' ? metadata['version'] : undefined;
    const deletionTime =
      typeof metadata['deletion_time'] === 'string' && metadata['deletion_time'] !== ''
        ? metadata['deletion_time']
        : undefined;
    const destroyed = metadata['destroyed'] === true;
    return new VaultDeletedVersionError(
      `${where}: version ${version ?? 'asked for'} of this secret ` +
        (destroyed
          ? 'is destroyed; its data is gone for good. Write a new version.'
          : `was deleted${deletionTime ? ` at ${deletionTime}` : ''}. Undelete it or write a new version.`),
      { ...details, destroyed, version, deletionTime },
    );
  }
  return new VaultNotFoundError(`${where}${because} Nothing is stored there, or no engine is mounted there.`, details);
}

function messagesOf(body: unknown, request: VaultRequest, sentToken: string | undefined): string[] {
  const errors = (body as { errors?: unknown } | undefined)?.errors;
  if (!Array.isArray(errors)) return [];
  const secrets = secretsOf(request.body);
  if (sentToken) secrets.push(sentToken);
  return errors
    .filter((text): text is string => typeof text === 'string')
    .slice(0, MOST_MESSAGES)
    .map((text) =>
      redact(
        text
          .replace(/^\d+ errors? occurred:\s*/, '')
          .replaceAll('\n\t* ', ' ')
          .replace(/^\* /, ''),
        secrets,
      ),
    )
    .filter((text) => text !== '');
}

/** `Retry-After` in milliseconds: whole seconds or an HTTP date (RFC 9110, 10.2.3). @internal */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function objectAt(value: unknown, key: string): Record<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : undefined;
}
