import { readdir, readFile } from 'node:fs/promises';

/** @returns whether there was somebody to get it @internal */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/**
 * Whether anything of a process group still runs. What has ended but is waited for by nobody, as in containers whose first
 * process is no init, does not count.
 * @internal
 */
export async function groupRuns(group: number): Promise<boolean> {
  if (!signalGroup(group, 0)) return false;
  // Elsewhere there is an init process that waits for orphans.
  if (process.platform !== 'linux') return true;
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(processes.map((pid) => stateIn(group, pid)));
  return states.some((state) => state !== undefined && state !== 'Z' && state !== 'X');
}

async function stateIn(group: number, pid: string): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // Behind the name, which may hold anything: state, parent, group.
  const [state, , its] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(its) === group ? state : undefined;
}
