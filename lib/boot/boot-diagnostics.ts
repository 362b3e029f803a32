import type { Configuration } from '../config/configuration.js';
import type { VaultError, VaultErrorCode } from '../errors/index.js';
import { isVaultError, VaultAbortedError, VaultConfigurationError } from '../errors/index.js';

const MAX_CALLS = 5;
const MAX_LINES = 10;

/** Codes of a Vault that does not respond, or with nothing of use. A TLS error is that of a wrong server or setting. */
const UNREACHABLE: readonly VaultErrorCode[] = [
  'VAULT_CONNECTION',
  'VAULT_RATE_LIMITED',
  'VAULT_SEALED',
  'VAULT_SERVER',
  'VAULT_TIMEOUT',
];

/** What is reported of calls that were aborted, by the `reason` of their error. */
const PENDING_CALLS: Readonly<Record<string, (calls: string) => string>> = {
  answer: (calls) => `No response from the server: ${calls}. Check its health.`,
  'no-connection': (calls) => `There was no connection to: ${calls}. Check "endpoint" (VAULT_ADDR) and any firewall.`,
  'rate-limit': (calls) => `"request.rateLimit" (VAULT_RATE_LIMIT) left no turn for: ${calls}. Raise it.`,
};

/** What an aborted attempt came to within a moment: a result, an error, or neither. @internal */
export type AbortedResult = { readonly result: Configuration } | { readonly error: unknown } | undefined;

/**
 * Collects what a boot meets, to explain why it ran out of time.
 * @internal
 */
export class BootDiagnostics {
  /** What the boot waits for when it is not the server; named by the options concerned. */
  step = '';
  readonly #failedAttempts = new Map<string, VaultError>();

  /** An attempt of a request has failed, and the request goes on. */
  attemptFailed(error: VaultError): void {
    this.#failedAttempts.set(error.operation ?? '', error);
  }

  /** What had failed for a reason that waiting does not change, such as a denied secret. */
  permanentFailures(aborted: AbortedResult): readonly VaultError[] {
    return aborted && 'error' in aborted ? leavesOf(aborted.error).filter((error) => !isOutage(error)) : [];
  }

  /** For each unfinished call, its last failure or what it waits for, with the fix; and what had failed already. */
  explain(aborted: AbortedResult): string {
    if (!aborted) return `It waits for ${this.step}, which has not returned. Check it.`;
    const lines = new Set<string>();
    const pending = new Map<string, Set<string>>();
    for (const error of failuresIn(aborted)) {
      const { operation = '', reason = 'answer' } = error;
      const lastFailure = this.#failedAttempts.get(operation);
      // An error without an endpoint is of no call, or of one for which there was no server.
      if (!(error instanceof VaultAbortedError) || error.endpoint === undefined) lines.add(error.message);
      else if (lastFailure) lines.add(lastFailure.message);
      else pending.set(reason, (pending.get(reason) ?? new Set()).add(operation));
    }
    // While calls wait for a response, others wait for the connections these have.
    const waiting = pending.get('answer');
    if (waiting) for (const call of pending.get('no-connection') ?? []) waiting.add(call);
    if (waiting) pending.delete('no-connection');
    for (const [reason, calls] of pending)
      lines.add((PENDING_CALLS[reason] ?? PENDING_CALLS['answer'])!(listOf(calls)));
    return format([...lines]);
  }
}

/**
 * Whether every reason of a failure is that Vault is away: one denied secret among ten that timed out is another matter.
 * @internal
 */
export function isUnreachable(error: unknown): error is VaultError {
  if (error instanceof VaultConfigurationError) return error.errors.length > 0 && error.errors.every(isUnreachable);
  return isVaultError(error) && UNREACHABLE.includes(error.code);
}

/** Whether an error means only that Vault is away, or that the boot was aborted. */
function isOutage(error: VaultError): boolean {
  return error instanceof VaultAbortedError || isUnreachable(error);
}

/** A load that ended too late may have succeeded, except for namespaces of `forFeature`. */
function failuresIn(aborted: NonNullable<AbortedResult>): readonly VaultError[] {
  return ('result' in aborted ? [...aborted.result.failedFeatures.values()] : [aborted.error]).flatMap(leavesOf);
}

function leavesOf(error: unknown): readonly VaultError[] {
  if (error instanceof VaultConfigurationError) return error.errors.flatMap(leavesOf);
  return isVaultError(error) ? [error] : [];
}

function listOf(calls: ReadonlySet<string>): string {
  const shown = [...calls].slice(0, MAX_CALLS);
  if (calls.size > shown.length) shown.push(`and ${calls.size - shown.length} more`);
  return shown.join('; ');
}

function format(lines: readonly string[]): string {
  const [only = 'Check the health of the server.'] = lines;
  if (lines.length < 2) return only;
  const shown = lines.slice(0, MAX_LINES).map((line, index) => `\n  ${index + 1}. ${line}`);
  const more = lines.length > shown.length ? `\n  and ${lines.length - shown.length} more` : '';
  return `This stood in its way:${shown.join('')}${more}`;
}
