import { constants } from 'node:os';
import { isatty } from 'node:tty';

const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const;

/** The exit code by which shells say that a signal ended a program. @internal */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** @param hasIt whether the command has got the signal already */
type SignalTarget = (signal: NodeJS.Signals, hasIt: boolean) => void;

/**
 * Takes the signals meant for the command. Until there is one, they give up what is being done.
 * @internal
 */
export class Signals {
  readonly #early = new AbortController();
  readonly #listeners = new Map<NodeJS.Signals, () => void>();
  #target: SignalTarget | undefined;
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
  sendTo(target: SignalTarget): void {
    this.#target = target;
  }

  close(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #take(signal: NodeJS.Signals): void {
    if (!this.#target) {
      this.received ??= signal;
      this.#early.abort();
    } else this.#target(signal, signal === 'SIGINT' && hasTerminal());
  }
}

/** A terminal sends Ctrl-C to the command by itself; passed on, it would arrive twice, and twice often means "at once". */
function hasTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
