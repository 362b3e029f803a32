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
