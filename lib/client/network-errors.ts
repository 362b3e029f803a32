import type { VaultAdvice, VaultError, VaultErrorDetails } from '../errors/index.js';
import {
  VaultAbortedError,
  VaultBadResponseError,
  VaultClosedError,
  VaultConnectionError,
  VaultInvalidOptionError,
  VaultTimeoutError,
  VaultTlsError,
} from '../errors/index.js';
import { ProxyFailure } from './connections/proxy-tunnel.js';
import { ExchangeInterrupted } from './exchange.js';
import { inNamespace } from './suggested-command.js';

/** How a call is named in its errors. @internal */
export interface CallContext extends VaultErrorDetails {
  readonly operation: string;
  readonly endpoint: string;
  readonly timeoutMs: number;
  /** When the call ends, by the monotonic clock. */
  readonly deadline: number;
  readonly connectTimeoutMs: number;
  /** Whether calls go through a proxy. */
  readonly proxy?: boolean;
  readonly maxBytes: number;
  /** In words, with a space before it: what earlier tries of this call have met. */
  readonly previousAttempts: string;
}

/** How the message of every failed call begins. @internal */
export function errorPrefix({ operation, namespace, endpoint, previousAttempts: earlier }: CallContext): string {
  return `Cannot ${operation}${inNamespace(namespace)} at ${endpoint}${earlier}`;
}

const TLS_FIX: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'The certificate of the server has expired. Renew it on the server.',
  CERT_NOT_YET_VALID: 'The certificate of the server is not valid yet. Check the clocks of both machines.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'The certificate is for another host name. Use a name the certificate lists in "endpoint", or set "tls.serverName" (VAULT_TLS_SERVER_NAME).',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'The server does not speak TLS on this port. If it is a development server, write "http://" in "endpoint".',
};
const UNKNOWN_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];
const UNKNOWN_AUTHORITY_FIX =
  'The certificate is signed by an authority this machine does not know. Give its certificate in "tls.ca" (VAULT_CACERT names the file).';

const CLIENT_CERTIFICATE_FIX =
  'If the server asks for a client certificate, set "tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).';

const CONNECTION_FIX: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing is listening on that port. Check "endpoint" (VAULT_ADDR) and that the server is running.',
  ENOTFOUND: 'The host name is not known. Check "endpoint" (VAULT_ADDR) and DNS.',
  EAI_AGAIN: 'The host name could not be looked up just now. Check DNS.',
  EHOSTUNREACH: 'The host cannot be reached. Check the network and firewalls between this machine and the server.',
  ENETUNREACH: 'The network cannot be reached. Check the network of this machine.',
};
/** Advice for a response that did not arrive completely. @internal */
export const IF_IT_REPEATS: VaultAdvice = {
  id: 'check-server-log',
  text: 'If this repeats, look at the log of the server and of any proxy before it.',
};
/** undici's own codes, which users do not know. */
const CLOSED_BY_SERVER = 'UND_ERR_SOCKET';
const INVALID_HEADER = 'UND_ERR_INVALID_ARG';
const CLOSED_BY_US = ['UND_ERR_DESTROYED', 'UND_ERR_CLOSED'];
const NOT_HTTP = /^HPE_|^UND_ERR_HEADERS_OVERFLOW$|^UND_ERR_RES_CONTENT_LENGTH_MISMATCH$/;

/** The typed error for a failure below HTTP; `sent` tells whether the request had a connection. The original is not kept: it would carry request headers. @internal */
export function errorOfFailure(failure: unknown, call: CallContext, sent = true): VaultError {
  const where = errorPrefix(call);
  if (failure instanceof ExchangeInterrupted) {
    switch (failure.fault) {
      case 'deadline':
        return new VaultTimeoutError(`${where}: no complete response within ${call.timeoutMs} ms.`, {
          ...call,
          advice: [
            { id: 'raise-timeout', text: 'Check the server\'s health, or raise "request.timeoutMs".' },
            ...(sent ? [] : ignoredProxy(call)),
          ],
        });
      case 'stalled':
        return new VaultTimeoutError(
          `${where}: no complete response in its share of ${call.timeoutMs} ms; the rest is left for another server.`,
          {
            ...call,
            reason: 'stalled',
            advice: [{ id: 'raise-timeout', text: 'Raise "request.timeoutMs" if it needs longer.' }],
          },
        );
      case 'aborted':
        return new VaultAbortedError(`${where}: the caller aborted it.`, {
          ...call,
          reason: sent ? undefined : 'no-connection',
        });
      case 'too-large':
        return new VaultBadResponseError(
          `${where}: the response is larger than ${call.maxBytes} bytes and was dropped.`,
          call,
        );
    }
  }
  if (failure instanceof ProxyFailure) return proxyFailure(failure, where, call);
  const reason = codeOf(failure);
  if (CLOSED_BY_US.includes(reason)) return closedError(call);
  if (reason === INVALID_HEADER) {
    return new VaultInvalidOptionError(
      `Cannot ${call.operation}: the token, the Vault namespace or another header of the call holds a character that cannot be sent, such as a line break.`,
      call,
    );
  }
  const details = { ...call, reason };
  if (NOT_HTTP.test(reason)) {
    return new VaultBadResponseError(`${where}: what responds there does not speak HTTP as Vault does (${reason}).`, {
      ...details,
      advice: [{ id: 'check-endpoint', text: 'Check "endpoint" (VAULT_ADDR).' }, otherScheme(call)],
    });
  }
  if (reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT') {
    return new VaultTimeoutError(`${where}: no connection within ${call.connectTimeoutMs} ms.`, {
      ...details,
      advice: [
        { id: 'check-endpoint', text: 'Check "endpoint" (VAULT_ADDR) and any firewall.' },
        ...ignoredProxy(call),
      ],
    });
  }
  const tlsFix = tlsAdvice(reason);
  if (tlsFix) {
    const ignored = UNKNOWN_AUTHORITY.includes(reason) || TLS_FIX[reason] ? ignoredTlsSetting() : [];
    return new VaultTlsError(`${where}: TLS failed (${reason}).`, {
      ...details,
      advice: [{ id: 'fix-tls', text: tlsFix }, ...ignored],
    });
  }
  if (reason === CLOSED_BY_SERVER) {
    return new VaultConnectionError(`${where}: the connection was closed before the response was complete.`, {
      ...details,
      advice: [otherScheme(call), IF_IT_REPEATS],
    });
  }
  const fix = CONNECTION_FIX[reason];
  const advice: VaultAdvice = fix === undefined ? IF_IT_REPEATS : { id: 'check-endpoint', text: fix };
  return new VaultConnectionError(`${where}: ${reason}.${fix === undefined ? ' The connection broke.' : ''}`, {
    ...details,
    advice: [advice, ...ignoredProxy(call)],
  });
}

/** Variables that other clients take a proxy from; this module does not, so that no token goes through a proxy that was not configured for Vault. */
const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

/** Named where a connection could not be made, and never with the value, which may hold a password. */
function ignoredProxy({ proxy }: CallContext): VaultAdvice[] {
  const name = proxy ? undefined : PROXY_VARIABLES.find((variable) => process.env[variable]);
  return name === undefined
    ? []
    : [
        {
          id: 'set-proxy',
          text: `${name} is set, and is not used for Vault: set "request.proxy" to "environment", or to the address of a proxy (VAULT_PROXY_ADDR).`,
        },
      ];
}

function ignoredTlsSetting(): VaultAdvice[] {
  return process.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0'
    ? [
        {
          id: 'set-ca',
          text: 'NODE_TLS_REJECT_UNAUTHORIZED is set, and does not count here: give the authority in "tls.ca", or set VAULT_SKIP_VERIFY on a development machine.',
        },
      ]
    : [];
}

function proxyFailure({ proxy, reason }: ProxyFailure, where: string, call: CallContext): VaultError {
  const details = { ...call, reason };
  const through = `${where} through the proxy ${proxy}: ${reason}.`;
  if (reason === 'status 407') {
    const text =
      'The proxy wants a user name and password, or other ones: write them into "request.proxy" (VAULT_PROXY_ADDR).';
    return new VaultInvalidOptionError(through, { ...details, advice: [{ id: 'set-proxy-credentials', text }] });
  }
  const fix = reason.startsWith('status')
    ? 'The proxy does not connect to this server: look at its rules and its log.'
    : 'Check "request.proxy" (VAULT_PROXY_ADDR) and that the proxy is running.';
  return new VaultConnectionError(through, { ...details, advice: [{ id: 'check-proxy', text: fix }] });
}

/** The error for a call of an application that has been closed. @internal */
export function closedError(call: CallContext): VaultClosedError {
  return new VaultClosedError(`Cannot ${call.operation}: the Vault session of this application is closed.`, call);
}

/** What a server does to the wrong protocol, and to a missing client certificate, looks like any other broken connection. */
function otherScheme({ endpoint }: CallContext): VaultAdvice {
  return endpoint.startsWith('https:')
    ? { id: 'set-client-certificate', text: CLIENT_CERTIFICATE_FIX }
    : { id: 'use-https', text: 'If the server speaks TLS, write "https://" in "endpoint".' };
}

function tlsAdvice(reason: string): string | undefined {
  if (UNKNOWN_AUTHORITY.includes(reason)) return UNKNOWN_AUTHORITY_FIX;
  if (TLS_FIX[reason]) return TLS_FIX[reason];
  if (/ALERT|CERT|^ERR_(SSL|TLS|OSSL)|^EPROTO$/.test(reason)) {
    return `${CLIENT_CERTIFICATE_FIX} Otherwise, compare the TLS settings of both sides.`;
  }
  return undefined;
}

function codeOf(failure: unknown): string {
  const { code, errors, name } = failure as { code?: unknown; errors?: readonly { code?: unknown }[]; name?: unknown };
  const found = code ?? errors?.[0]?.code ?? (name === 'HTTPParserError' ? 'HPE_INVALID' : undefined);
  return typeof found === 'string' && found !== '' ? found : 'connection failed';
}
