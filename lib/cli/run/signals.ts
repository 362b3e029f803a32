import { constants } from 'node:os';

/** Those that shells and platforms send to programs. SIGUSR1 among them: by default, Node opens its debugger on it. */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

/** The exit code by which shells say that a signal ended a program. @internal */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Whether it asks a program to end, rather than to do something. @internal */
export function asksToEnd(signal: NodeJS.Signals): boolean {
  return signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGQUIT';
}

/**
 * Takes the signals meant for the command. Until there is one, they give up what is being done.
 * @internal
 */
export class Signals {
  readonly #early = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #target: ((signal: NodeJS.Signals) => void) | undefined;
  /** The first signal that came before there was a command. */
  received: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of PASSED_ON) {
      // Windows knows some of them only by name.
      if (constants.signals[signal] === undefined) continue;
      const listener = () => this.#take(signal);
      this.#listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  /** Aborted by a signal that comes before there is a command. */
  get early(): AbortSignal {
    return this.#early.signal;
  }

  /** From now on they go there. */
  sendTo(target: (signal: NodeJS.Signals) => void): void {
    this.#target = target;
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #take(signal: NodeJS.Signals): void {
    if (this.#target) this.#target(signal);
    else {
      this.received ??= signal;
      this.#early.abort();
    }
  }
}
