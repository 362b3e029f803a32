import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';

const READY = /The page: +(\S+)/;
let demo: ChildProcess | undefined;

afterEach(() => void demo?.kill('SIGKILL'));

/** Starts the demo and waits until it names its page. */
async function startDemo(): Promise<{ process: ChildProcess; address: string; output: () => string }> {
  const child = spawn(process.execPath, ['sample-app/demo.mjs'], {
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' },
  });
  demo = child;
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = READY.exec(output)?.[1];
      if (found) resolve(found);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`The demo ended with ${code}: ${output}`)));
  });
  return { process: child, address, output: () => output };
}

/** Every process below one, by pid. */
function descendants(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  const below = (parent: number): number[] =>
    rows.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

function environmentOf(pid: number): string {
  return execFileSync('ps', ['eww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
}

/** The value of one variable in `ps eww` output. */
function variable(environment: string, name: string): string | undefined {
  return new RegExp(`(?:^|\\s)${name}=(\\S*)`).exec(environment)?.[1];
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('npm run demo', () => {
  it('shows where every key came from, uses the secrets, and shows none of them', async () => {
    const { process: child, address, output } = await startDemo();
    const page = await (await fetch(address)).text();
    const json = (await (await fetch(`${address}/config.json`)).json()) as {
      keys: { key: string; path: string; version: number }[];
      session: { policies: string[] };
    };
    expect(json.keys.map(({ key, path, version }) => `${key} ${path} ${version}`)).toEqual([
      'SIGNING_KEY secret/sample-app 1',
      ...['host', 'password', 'port', 'user'].map((key) => `smtp.${key} secret/shared/smtp 1`),
      'features.checkout secret/sample-app/features 1',
      'features.regions secret/sample-app/features 1',
    ]);
    for (const { key, path } of json.keys) {
      expect(page).toContain(`<code>${key}</code>`);
      expect(page).toContain(`<code>${path}</code>`);
    }
    expect(json.session.policies).toEqual(['default', 'sample-app']);
    const signed = (await (await fetch(`${address}/sign?text=hello`)).json()) as { signature: string };
    expect(signed.signature).toMatch(/^[\w-]{43}$/);
    expect((await fetch(`${address}/sign`)).status).toBe(400);
    expect(await (await fetch(`${address}/checkout?region=eu`)).json()).toEqual({ express: true });

    // The service got a role id and a secret id, and nothing it shows or prints contains the latter.
    const service = descendants(child.pid as number).find((pid) => environmentOf(pid).includes('SECRET_ID='));
    const environment = environmentOf(service as number);
    const secretId = variable(environment, 'SECRET_ID') as string;
    expect(secretId).toMatch(/^[0-9a-f-]{36}$/);
    expect(environment).not.toContain('VAULT_TOKEN');
    for (const text of [page, JSON.stringify(json), output()]) expect(text).not.toContain(secretId);
  }, 90_000);

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'leaves no process behind after %s',
    async (signal) => {
      const { process: child } = await startDemo();
      const pids = descendants(child.pid as number);
      expect(pids.length).toBeGreaterThanOrEqual(2);
      child.removeAllListeners('exit');
      child.kill(signal);
      await once(child, 'exit');
      await Promise.all(pids.map(gone));
    },
    90_000,
  );
});
