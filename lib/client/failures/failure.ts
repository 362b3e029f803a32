import type { VaultError } from '../../errors/index.js';
import type { Verdict } from '../retry-policy.js';

/**
 * A try that came to nothing, and what it says about another one.
 * @internal
 */
export class Failure {
  constructor(
    readonly error: VaultError,
    readonly verdict: Verdict | undefined,
  ) {}
}
