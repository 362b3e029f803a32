import type { MessagePort } from 'node:worker_threads';
import type { Login } from '../auth/login.js';

/** What the worker of `nestjs-vault/register` is started with. @internal */
export interface RegisterTask {
  readonly port: MessagePort;
  /** Becomes 1 once the outcome has been posted to the port. */
  readonly done: Int32Array;
  /** Whether the environment has the values of the sources already, from a parent process. */
  readonly sourcesResolved: boolean;
}

/** What came of it. @internal */
export interface RegisterOutcome {
  /** To be printed on standard error. */
  readonly warnings: readonly string[];
  /** Why the process must not go on. */
  readonly problem?: string;
  readonly values?: RegisteredValues;
}

/** @internal */
export interface RegisteredValues {
  readonly variables: readonly (readonly [name: string, value: string])[];
  readonly identity: string | undefined;
  /** A login that can be handed over; the worker revokes it on request. */
  readonly login: Login | undefined;
  /** Files with values, which stay until the process ends. */
  readonly files: readonly string[];
}
