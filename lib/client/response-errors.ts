import type { VaultAdvice, VaultError } from '../errors/index.js';
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
import { redact } from '../errors/redact.js';
import type { RawResponse } from './exchange.js';
import type { CallContext } from './network-errors.js';
import { IF_IT_REPEATS, errorPrefix } from './network-errors.js';
import { isJsonObject } from './vault-request.js';
import { inNamespace } from './suggested-command.js';
import type { VaultRequest } from './vault-request.js';

const MAX_MESSAGES = 5;
/** `reason` of a 404 whose body is not Vault's. @internal */
export const NOT_VAULT_RESPONSE = 'not-vault';
const REDIRECTS: readonly number[] = [301, 302, 307, 308];
const NOT_VAULT_ADVICE = 'The body is not Vault’s: a proxy or load balancer may have responded.';

/** What a standby says while its cluster has no leader; it has not acted on the request. @internal */
export const NO_LEADER = 'active cluster node not found';

/** Faults of the server that callers tell apart by `reason`. */
const SERVER_FAULTS: readonly (readonly [text: string, reason: string])[] = [
  [NO_LEADER, 'no-leader'],
  ['past the max TTL', 'past-max-ttl'],
];

const NAMESPACE_NOT_FOUND = 'namespace not found';

function namespaceAdvice(namespace: string | undefined): VaultAdvice {
  const name = namespace ? `The Vault namespace ${JSON.stringify(namespace)}` : 'The Vault namespace';
  return {
    id: 'check-namespace',
    text: `${name} does not exist on this server. Check the option "namespace" (VAULT_NAMESPACE).`,
  };
}

/** What login methods say about a parameter that the request lacks. */
const MISSING_PARAMETER = /^missing [a-z_]{1,40}$/i;

/** What a deletion time looks like; anything else a server puts there stays out of messages. */
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]{1,20}(?:Z|[+-]\d\d:\d\d)$/;

/**
 * The typed error for a response with an error status.
 *
 * @param secrets what went with the request, so that a server that echoes it cannot make us print it
 * @see https://developer.hashicorp.com/vault/api-docs#http-status-codes
 * @internal
 */
export function errorOfResponse(
  answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: unknown },
  request: VaultRequest,
  secrets: readonly string[],
  call: CallContext,
): VaultError {
  const { status, body } = answer;
  // What happened is told from the server's own words: blanking secrets out may change them.
  const words = wordsOf(body);
  const known = [call.operation, request.path, call.namespace, call.endpoint].join(' ');
  const said = words.map((text) => redact(tidy(text), secrets, known)).filter((text) => text !== '');
  const details = { ...call, statusCode: status, serverErrors: said };
  const where = errorPrefix(call);
  const because = said.length > 0 ? `: ${said.join('; ')} (status ${status}).` : `: status ${status}.`;

  // Login methods report a missing parameter as a fault of the server (500).
  if (status === 500 && words.some((text) => MISSING_PARAMETER.test(text))) {
    return new VaultRequestError(`${where}${because}`, {
      ...details,
      reason: 'missing-parameter',
      advice: [{ id: 'send-parameter', text: 'Send the missing parameter.' }],
    });
  }

  switch (status) {
    case 400:
      if (words.some((text) => text.includes('refused JSON input due to high complexity'))) {
        return new VaultRequestError(`${where}${because}`, {
          ...details,
          reason: 'json-complexity',
          advice: [
            {
              id: 'split-data',
              text: `OpenBao limits the JSON of a request; keys and values count as strings, of which it takes 1,000 by default. Split the data over several secrets or requests, or raise "max_request_json_strings" (or the limit named above) of the server's listener.`,
            },
          ],
        });
      }
      if (words.some((text) => text.includes('check-and-set parameter required'))) {
        return new VaultRequestError(
          `${where}${because} This secret takes no write without "cas": give the current version, or 0 if there is none.`,
          { ...details, reason: 'cas-required' },
        );
      }
      if (words.some((text) => text.includes('check-and-set'))) {
        return new VaultCasMismatchError(`${where}${because}`, {
          ...details,
          advice: [
            {
              id: 'read-again',
              text: 'Somebody else wrote in between: read again, then write with the new version as "cas".',
            },
          ],
        });
      }
      break;
    case 401:
      return new VaultAuthenticationError(`${where}${because}`, {
        ...details,
        advice: [
          {
            id: 'check-proxy',
            text: 'Vault itself refuses tokens with status 403, so a proxy before it may want credentials.',
          },
        ],
      });
    case 403:
      return new VaultPermissionError(`${where}${because}`, {
        ...details,
        advice: [
          {
            id: 'add-policy',
            text: `If the token is still valid, its policies do not allow this. Add to one of them${inNamespace(call.namespace)}: ${policyStanza(request)}`,
          },
        ],
        // A failed policy check comes as a list ("1 error occurred: …"), a token the server does not know as bare words.
        policyDenied: words.some((text) => /occurred/.test(text) && !/invalid token/.test(text)),
      });
    case 404:
      if (words.some((text) => text.includes(NAMESPACE_NOT_FOUND))) {
        return new VaultNotFoundError(`${where}${because}`, {
          ...details,
          reason: 'namespace',
          advice: [namespaceAdvice(call.namespace)],
        });
      }
      return notFound(where, because, body, details);
    case 429:
      return new VaultRateLimitedError(`${where}${because} The server limits the rate of requests.`, {
        ...details,
        retryAfterMs: retryAfterMs(answer.headers['retry-after']),
      });
    case 501:
      if (!isJsonObject(body)) break;
      return new VaultNotInitializedError(`${where}: the server is not initialized.`, {
        ...details,
        advice: [{ id: 'initialize-server', text: 'Run "bao operator init" (or "vault operator init") once.' }],
      });
    case 503:
      if (words.some((text) => /sealed/i.test(text))) {
        return new VaultSealedError(`${where}: the server is sealed.`, {
          ...details,
          advice: [
            {
              id: 'unseal-server',
              text: `Unseal it ("bao operator unseal"), or set "unseal" in the module's options. A new server has to be initialized first ("bao operator init").`,
            },
          ],
        });
      }
      break;
    default:
  }
  if (status >= 500) {
    const reason = SERVER_FAULTS.find(([text]) => words.some((word) => word.includes(text)))?.[1];
    return new VaultServerError(`${where}${because}`, {
      ...details,
      reason,
      advice: [
        said.length > 0
          ? { id: 'check-server-log', text: 'Look at the log of the server.' }
          : { id: 'check-endpoint', text: NOT_VAULT_ADVICE },
      ],
    });
  }
  if (status >= 300 && status < 400) {
    const why = REDIRECTS.includes(status)
      ? 'it redirects again after one redirect'
      : `it responds with status ${status}`;
    return new VaultBadResponseError(`${where}: ${why}, which Vault does not do.`, {
      ...details,
      advice: [
        {
          id: 'check-endpoint',
          text: 'Check that "endpoint" (VAULT_ADDR) is Vault itself and not a proxy or a login page.',
        },
      ],
    });
  }
  return new VaultRequestError(`${where}${because}`, details);
}

/** The error for a status that may have a body, and has one that is not JSON, or only the beginning of one. @internal */
export function notJson(
  { status, headers, text }: RawResponse,
  cut: boolean,
  secrets: readonly string[],
  call: CallContext,
): VaultBadResponseError {
  const contentType = headers['content-type'];
  const encoding = headers['content-encoding'];
  const kind = contentType ? redact(contentType, secrets) || 'another content type' : 'no content type';
  if (cut) {
    return new VaultBadResponseError(
      `${errorPrefix(call)}: the response (status ${status}) is incomplete: the JSON is cut short.`,
      { ...call, statusCode: status, reason: 'cut-short', advice: [IF_IT_REPEATS] },
    );
  }
  let why = contentType?.includes('json') ? 'the JSON is malformed' : `it is not JSON (${kind})`;
  if (encoding) why = `it is compressed (${redact(encoding, secrets) || 'in some way'}), which nobody asked for`;
  const advice: VaultAdvice[] = [
    {
      id: 'check-endpoint',
      text: 'Check that "endpoint" (VAULT_ADDR) is Vault itself and not a proxy, a login page or another service.',
    },
  ];
  if (text.includes('HTTP request to an HTTPS server'))
    advice.push({ id: 'use-https', text: 'The server speaks TLS: write "https://" in "endpoint".' });
  return new VaultBadResponseError(`${errorPrefix(call)}: the response (status ${status}) is not from Vault: ${why}.`, {
    ...call,
    statusCode: status,
    advice,
  });
}

function notFound(
  where: string,
  because: string,
  body: unknown,
  details: CallContext & { statusCode: number; serverErrors: readonly string[] },
): VaultError {
  const data = isJsonObject(body) ? body['data'] : undefined;
  const metadata = isJsonObject(data) ? data['metadata'] : undefined;
  if (isJsonObject(metadata)) {
    const { version: number, deletion_time: time } = metadata;
    const version = typeof number === 'number' ? number : undefined;
    const deletionTime = typeof time === 'string' && TIME.test(time) ? time : undefined;
    const destroyed = metadata['destroyed'] === true;
    return new VaultDeletedVersionError(
      `${where}: version ${version ?? 'asked for'} of this secret ` +
        (destroyed
          ? 'is destroyed; its data is gone for good.'
          : `was deleted${deletionTime ? ` at ${deletionTime}` : ''}.`),
      {
        ...details,
        destroyed,
        version,
        deletionTime,
        advice: [
          destroyed
            ? { id: 'write-secret', text: 'Write a new version.' }
            : { id: 'undelete-version', text: 'Undelete it or write a new version.' },
        ],
      },
    );
  }
  const { nothingStored, advice, reason } = bodyOfNotFound(body);
  return new VaultNotFoundError(`${where}${because}`, { ...details, reason, nothingStored, advice: [advice] });
}

/** An engine that has nothing at a path responds with exactly `{"errors":[]}`; any other body means something else. */
function bodyOfNotFound(body: unknown): {
  nothingStored: boolean;
  advice: VaultAdvice;
  reason: string | undefined;
} {
  const errors = isJsonObject(body) ? body['errors'] : undefined;
  const isExact = isJsonObject(body) && Object.keys(body).length === 1 && Array.isArray(errors);
  if (isExact && errors.length === 0)
    return { nothingStored: true, advice: { id: 'check-path', text: 'Nothing is stored there.' }, reason: undefined };
  return wordsOf(body).length === 0
    ? {
        nothingStored: false,
        advice: { id: 'check-endpoint', text: `${NOT_VAULT_ADVICE} Check "endpoint" (VAULT_ADDR), its path included.` },
        reason: NOT_VAULT_RESPONSE,
      }
    : {
        nothingStored: false,
        advice: {
          id: 'check-mount',
          text: 'Check the mount path, the version of the engine, and the Vault namespace.',
        },
        reason: undefined,
      };
}

/** What the server says about a failure: its errors, and for a wrong kind of path its warnings. */
function wordsOf(body: unknown): string[] {
  if (!isJsonObject(body)) return [];
  return [body['errors'], body['warnings']]
    .flatMap((list): unknown[] => (Array.isArray(list) ? list.slice(0, MAX_MESSAGES) : []))
    .filter((text): text is string => typeof text === 'string');
}

function tidy(text: string): string {
  return text
    .replace(/^\d+ errors? occurred:\s*/, '')
    .replaceAll('\n\t* ', ' ')
    .replace(/^\* /, '')
    .trimEnd()
    .replace(/\.$/, '');
}

/** `Retry-After` in milliseconds: whole seconds or an HTTP date (RFC 9110, 10.2.3). @internal */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,10}$/.test(header)) return Number(header) * 1000;
  const date = /^[A-Z][a-z]{2}/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
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
