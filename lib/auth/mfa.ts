import type { Requester } from '../client/vault-client.js';
import { VaultAuthenticationError, VaultPermissionError, VaultRequestError } from '../errors/index.js';
import { redact } from '../errors/redact.js';
import type { Credential } from './credential.js';
import { checkCredential, describeCredential, resolveCredential } from './credential.js';

/**
 * Passcodes for logins that want a second factor, by the id, the name or the type (`totp`, `duo`, …) of the MFA method. A
 * TOTP passcode counts once, so what supplies it is usually a function. Methods without a passcode (a push to a phone)
 * need no entry.
 * @publicApi
 */
export type MfaPasscodes = Readonly<Record<string, Credential>>;

/** A login whose password was accepted and whose second factor is still missing. @internal */
export interface MfaLogin {
  readonly passcodes: MfaPasscodes | undefined;
  readonly namespace: string | undefined;
  readonly operation: string;
  readonly signal: AbortSignal | undefined;
}

interface Factor {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly usesPasscode: boolean;
}

const MAX_FACTORS_SHOWN = 5;

/** @internal */
export function checkMfa(value: unknown): string | undefined {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.values(value) : [7];
  return entries.some((entry) => checkCredential(entry) !== undefined)
    ? 'an object with a credential for each MFA method (by id, name or type)'
    : undefined;
}

/**
 * Supplies the second factor: for each enforcement one of its methods, preferring those a passcode is configured for.
 *
 * @param requirement `auth.mfa_requirement` of the login response
 * @returns the body of the response, which is that of a login
 * @throws VaultAuthenticationError that names the missing methods, or the passcode that was refused
 * @see https://openbao.org/docs/auth/login-mfa/
 * @internal
 */
export async function completeMfa(client: Requester, requirement: object, login: MfaLogin): Promise<unknown> {
  const { passcodes = {}, operation, namespace, signal } = login;
  const { mfa_request_id: id, mfa_constraints: constraints } = requirement as Record<string, unknown>;
  const enforcements = typeof constraints === 'object' && constraints !== null ? Object.entries(constraints) : [];
  if (typeof id !== 'string' || enforcements.length === 0) throw missing(enforcements, operation);
  const payload = new Map<string, string[]>();
  const sources: string[] = [];
  for (const [, constraint] of enforcements) {
    const factors = factorsOf(constraint);
    const factor =
      factors.find((one) => keyFor(one, passcodes) !== undefined) ?? factors.find(({ usesPasscode }) => !usesPasscode);
    if (!factor) throw missing(enforcements, operation);
    const key = keyFor(factor, passcodes);
    const passcode = key === undefined ? undefined : passcodes[key];
    if (passcode !== undefined && !payload.has(factor.id)) sources.push(describeCredential(passcode));
    payload.set(
      factor.id,
      payload.get(factor.id) ??
        (passcode === undefined ? [] : [await resolveCredential(passcode, `auth.mfa.${factor.type}`)]),
    );
  }
  try {
    const { body } = await client.request({
      method: 'POST',
      path: 'sys/mfa/validate',
      operation: `${operation}: validate the second factor`,
      body: { mfa_request_id: id, mfa_payload: Object.fromEntries(payload) },
      token: null,
      signal,
      ...(namespace !== undefined && { namespace }),
    });
    return body;
  } catch (error) {
    throw refused(error, operation, sources);
  }
}

function factorsOf(constraint: unknown): Factor[] {
  const any = (constraint as { any?: unknown } | null)?.any;
  return (Array.isArray(any) ? (any as unknown[]) : []).flatMap((entry) => {
    const { id, name, type, uses_passcode: usesPasscode } = (entry ?? {}) as Record<string, unknown>;
    if (typeof id !== 'string' || typeof type !== 'string') return [];
    return [{ id, type, name: typeof name === 'string' ? name : '', usesPasscode: usesPasscode === true }];
  });
}

function keyFor({ id, name, type }: Factor, passcodes: MfaPasscodes): string | undefined {
  return [id, name, type].find((key) => key !== '' && Object.hasOwn(passcodes, key));
}

function missing(enforcements: readonly [string, unknown][], operation: string): VaultAuthenticationError {
  const wanted = enforcements.slice(0, MAX_FACTORS_SHOWN).map(([name, constraint]) => {
    const factors = factorsOf(constraint)
      .slice(0, MAX_FACTORS_SHOWN)
      .map((factor) => `${redact(factor.type)} ${JSON.stringify(redact(factor.name))} (id ${redact(factor.id)})`);
    return `${factors.join(' or ') || 'no known method'} for the enforcement ${JSON.stringify(redact(name))}`;
  });
  return new VaultAuthenticationError(
    `Cannot ${operation}: the credentials were accepted, but the server wants a second factor: ${wanted.join('; ') || 'it does not say which'}. ` +
      'Set "auth.mfa", by type, name or id of the method, to what supplies the passcode: mfa: { totp: () => … }. ' +
      'For an application, rather leave its role or mount out of the enforcement.',
    { operation, reason: 'mfa-required' },
  );
}

function refused(error: unknown, operation: string, sources: readonly string[]): unknown {
  if (!(error instanceof VaultPermissionError) && !(error instanceof VaultRequestError)) return error;
  const from = sources.length > 0 ? `The passcode from ${sources.join(' and ')}` : 'The second factor';
  return error.as(VaultAuthenticationError, {
    problem:
      `Cannot ${operation}: the second factor was refused (status ${error.statusCode}). ${from} is wrong, too old, or was used before: ` +
      'a TOTP passcode counts once, and the next one comes after up to 30 seconds.',
    operation,
    reason: 'mfa-refused',
    advice: [{ id: 'check-clock', text: 'Check the clock of this machine too.' }],
  });
}
