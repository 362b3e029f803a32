import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

export interface ProcessState {
  readonly sockets: number;
  readonly timers: number;
  readonly listeners: number;
  readonly heapMb: number;
}

/** What keeps this process busy, and what it holds once garbage has been collected. */
export function processState(): ProcessState {
  collect();
  collect();
  const found = process.getActiveResourcesInfo();
  return {
    sockets: found.filter((name) => name.startsWith('TCP') || name === 'ConnectWrap').length,
    timers: found.filter((name) => name === 'Timeout').length,
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    heapMb: process.memoryUsage().heapUsed / 1e6,
  };
}

/** The state once no more is open than there was, or after ten seconds: what is closed ends when the loop comes to it. */
export async function settledState(before: ProcessState): Promise<ProcessState> {
  for (let tries = 40; ; tries -= 1) {
    const found = processState();
    const settled =
      found.sockets <= before.sockets && found.timers <= before.timers && found.listeners <= before.listeners;
    if (settled || tries === 0) return found;
    await delay(250);
  }
}
