import type { VaultError, VaultErrorDetails } from '../errors/index.js';
import {
  VaultAbortedError,
  VaultBadResponseError,
  VaultConnectionError,
  VaultTimeoutError,
  VaultTlsError,
} from '../errors/index.js';
import { ExchangeInterrupted } from './exchange.js';

/** How a call is named in its errors. @internal */
export interface CallContext extends VaultErrorDetails {
  readonly operation: string;
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxBytes: number;
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

const CONNECTION_FIX: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there. Check "endpoint" (VAULT_ADDR) and that the server is running.',
  ENOTFOUND: 'The host name is not known. Check "endpoint" (VAULT_ADDR) and DNS.',
  EAI_AGAIN: 'The host name could not be looked up just now. Check DNS.',
  EHOSTUNREACH: 'The host cannot be reached. Check the network and firewalls between this machine and the server.',
  ENETUNREACH: 'The network cannot be reached. Check the network of this machine.',
};

/** The typed error for a failure below HTTP. The original is not kept: it would carry request headers. @internal */
export function networkFailure(failure: unknown, call: CallContext): VaultError {
  const where = `Cannot ${call.operation} at ${call.endpoint}`;
  if (failure instanceof ExchangeInterrupted) {
    switch (failure.fault) {
      case 'deadline':
        return new VaultTimeoutError(
          `${where}: no complete answer within ${call.timeoutMs} ms. Check the server's health, or raise "request.timeoutMs".`,
          call,
        );
      case 'aborted':
        return new VaultAbortedError(`${where}: the caller aborted it.`, call);
      case 'too-large':
        return new VaultBadResponseError(
          `${where}: the answer is larger than ${call.maxBytes} bytes and was dropped.`,
          call,
        );
    }
  }
  const reason = codeOf(failure);
  const details = { ...call, reason };
  if (reason === 'UND_ERR_CONNECT_TIMEOUT' || reason === 'ETIMEDOUT') {
    return new VaultTimeoutError(
      `${where}: no connection within ${call.connectTimeoutMs} ms. Check "endpoint" (VAULT_ADDR) and firewalls in between.`,
      details,
    );
  }
  const tlsFix = tlsAdvice(reason);
  if (tlsFix) return new VaultTlsError(`${where}: TLS failed (${reason}). ${tlsFix}`, details);
  const fix =
    CONNECTION_FIX[reason] ??
    'The connection broke. If this repeats, look at the log of the server and of any proxy before it.';
  return new VaultConnectionError(`${where}: ${reason}. ${fix}`, details);
}

function tlsAdvice(reason: string): string | undefined {
  if (UNKNOWN_AUTHORITY.includes(reason)) return UNKNOWN_AUTHORITY_FIX;
  if (TLS_FIX[reason]) return TLS_FIX[reason];
  if (/ALERT|CERT|^ERR_(SSL|TLS|OSSL)|^EPROTO$/.test(reason)) {
    return 'If the server asks for a client certificate, set "tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY); else compare the TLS settings of both sides.';
  }
  return undefined;
}

function codeOf(failure: unknown): string {
  const { code, errors } = failure as { code?: unknown; errors?: readonly { code?: unknown }[] };
  const found = code ?? errors?.[0]?.code;
  return typeof found === 'string' && found !== '' ? found : 'connection failed';
}
