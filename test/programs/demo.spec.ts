import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { findLeaks, forgetCanaries, track } from '../support/canary.js';
import { until } from '../support/until.js';

// The demo compiles the sample application and starts a server.
const PATIENCE_MS = 60_000;
const TIMEOUT_MS = 2 * PATIENCE_MS;

const demos: ChildProcess[] = [];
const listeners: Server[] = [];
afterEach(() => {
  for (const demo of demos.splice(0)) demo.kill('SIGKILL');
  for (const listener of listeners.splice(0)) listener.close();
  forgetCanaries();
});

interface Demo {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly output: () => string;
}

function launch(env: NodeJS.ProcessEnv = {}, ...args: string[]): Demo {
  const child = spawn(process.execPath, ['sample-app/demo.mjs', ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  demos.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  return { process: child, pid: child.pid as number, output: () => output };
}

/** Starts the demo and waits until it has printed the last of what it has to say. */
async function start(env?: NodeJS.ProcessEnv): Promise<Demo & { address: string }> {
  const demo = launch(env);
  await until(() => /Ctrl-C/.test(demo.output()) || hasEnded(demo.process));
  const address = /The page: +(\S+)/.exec(demo.output())?.[1];
  if (address === undefined) throw new Error(`The demo did not start: ${demo.output()}`);
  return { ...demo, address };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function ps(...args: string[]): string {
  return execFileSync('ps', args, { encoding: 'utf8' });
}

/** Every process below one, by pid. */
function descendants(pid: number): number[] {
  const rows = ps('-eo', 'pid=,ppid=')
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number));
  const below = (parent: number | undefined): number[] =>
    rows.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child as number, ...below(child)]);
  return below(pid);
}

/** Whether any of these runs; one that has ended and waits for being collected does not. */
function anyRuns(pids: number[]): boolean {
  return ps('-eo', 'pid=,stat=')
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .some(([pid, state]) => pids.includes(Number(pid)) && !state?.startsWith('Z'));
}

/** What the service below a demo was started with. */
function environmentOfService(demo: Demo): Map<string, string> {
  const lines = descendants(demo.pid).map((pid) => ps('eww', '-o', 'args=', '-p', String(pid)));
  const line = lines.find((text) => text.includes('dist/main.js')) ?? '';
  return new Map([...line.matchAll(/(?<=\s)([A-Z_]+)=(\S*)/g)].map(([, name = '', value = '']) => [name, value]));
}

async function getJson<T>(url: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(url, init)).json()) as T;
}

/** Every text in a value that is long enough to be told from other text. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.length < 8 ? [] : [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

interface Shown {
  keys: { key: string; mountPath: string; secretPath: string; version: number; loadedAt: string }[];
  session: { state: string; accessor: string; policies: string[]; expiresAt: string };
}

describe('the demo', () => {
  it(
    'starts a service that knows three things, uses its secrets, and tells where they came from but not what they are',
    async () => {
      const demo = await start();
      const { address } = demo;

      const environment = environmentOfService(demo);
      expect([...environment.keys()].filter((name) => !name.startsWith('__')).sort()).toEqual([
        'NO_COLOR',
        'PORT',
        'ROLE_ID',
        'SECRET_ID',
        'VAULT_ADDR',
      ]);

      // With what the service has, read what it may read.
      const vault = `${environment.get('VAULT_ADDR')}/v1`;
      const { auth } = await getJson<{ auth: { client_token: string } }>(`${vault}/auth/approle/login`, {
        method: 'POST',
        body: JSON.stringify({ role_id: environment.get('ROLE_ID'), secret_id: environment.get('SECRET_ID') }),
      });
      const read = (path: string): Promise<Response> =>
        fetch(`${vault}/${path}`, { headers: { 'X-Vault-Token': auth.client_token } });
      const secrets = new Map<string, Record<string, unknown>>();
      for (const path of ['sample-app', 'shared/smtp', 'sample-app/features']) {
        const answer = (await (await read(`secret/data/${path}`)).json()) as {
          data: { data: Record<string, unknown> };
        };
        secrets.set(path, answer.data.data);
      }
      expect((await read('secret/data/another')).status).toBe(403);
      expect((await read('secret/metadata/sample-app')).status).toBe(403);

      const page = await (await fetch(address)).text();
      const json = await getJson<Shown>(`${address}/config.json`);
      expect(json.keys.map(({ key, mountPath, secretPath }) => `${key} ${mountPath}/${secretPath}`).sort()).toEqual(
        [
          'SIGNING_KEY secret/sample-app',
          ...Object.keys(secrets.get('shared/smtp') ?? {}).map((key) => `smtp.${key} secret/shared/smtp`),
          'features.checkout secret/sample-app/features',
          'features.regions secret/sample-app/features',
        ].sort(),
      );
      const rows = page.split('<tr>').map((row) => row.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' '));
      for (const { key, mountPath, secretPath, version, loadedAt } of json.keys) {
        expect(version).toBe(1);
        const row = rows.find((text) => text.includes(` ${key} `));
        expect(row).toContain(` ${mountPath}/ ${secretPath} ${version} ••••••`);
        expect(row).toContain(loadedAt.slice(0, 19).replace('T', ' '));
      }
      expect(json.session).toMatchObject({ state: 'active', policies: ['default', 'sample-app'] });
      for (const fact of [json.session.accessor, ...json.session.policies]) expect(page).toContain(fact);

      // The signing key is the one in the server.
      const { signature } = await getJson<{ signature: string }>(`${address}/sign?text=hello`);
      const key = secrets.get('sample-app')?.['SIGNING_KEY'] as string;
      expect(signature).toBe(createHmac('sha256', key).update('hello').digest('base64url'));
      expect(await getJson(`${address}/verify?text=hello&signature=${signature}`)).toEqual({ valid: true });
      expect(await getJson(`${address}/verify?text=hullo&signature=${signature}`)).toEqual({ valid: false });
      expect(await getJson(`${address}/checkout?region=eu`)).toEqual({ express: true });
      expect(await getJson(`${address}/checkout?region=nowhere`)).toEqual({ express: false });

      const clumsy = await fetch(`${address}/sign`);
      const lost = await fetch(`${address}/no-such-page`);
      expect([clumsy.status, lost.status]).toEqual([400, 404]);

      [...secrets.values()].flatMap(textsIn).forEach((text, index) => track(`value-${index}`, text));
      track('secret-id', environment.get('SECRET_ID') as string);
      expect(findLeaks(`${key} ${environment.get('SECRET_ID')}`)).toHaveLength(2);
      const errors = (await clumsy.text()) + (await lost.text());
      const everything = [page, JSON.stringify(json), demo.output(), errors].join('\n');
      expect(findLeaks(everything)).toEqual([]);
      expect(everything).not.toMatch(/\b(?:s|b|hvs|hvb)\.[\w-]{20}/);
      expect(errors).not.toMatch(/node_modules|file:|\.js/);

      // SIGTERM, as a supervisor sends it.
      const pids = descendants(demo.pid);
      expect(anyRuns(pids)).toBe(true);
      demo.process.kill('SIGTERM');
      expect(await once(demo.process, 'exit')).toEqual([0, null]);
      expect(anyRuns(pids)).toBe(false);
    },
    TIMEOUT_MS,
  );

  it(
    'prints a command that rotates a secret; page and mailer follow without a restart',
    async () => {
      const demo = await start();
      const { address } = demo;
      const [service] = descendants(demo.pid).filter((pid) => ps('-o', 'args=', '-p', String(pid)).includes('main.js'));
      const version = async () =>
        (await getJson<Shown>(`${address}/config.json`)).keys.find(({ key }) => key === 'smtp.password')?.version;
      expect(await version()).toBe(1);
      expect(await (await fetch(address)).text()).toContain('rotated 0 times');

      // What is printed, read as a shell would and sent without curl, which need not be there.
      const command = /curl -X (?<method>\w+) (?<options>(?:-H '[^']+'\s+)+)\\\s+-d '(?<body>[^']+)' (?<url>\S+)/.exec(
        demo.output(),
      )?.groups as { method: string; options: string; body: string; url: string };
      const headers = [...command.options.matchAll(/-H '([^:]+): ([^']+)'/g)].map(
        ([, name = '', value = '']): [string, string] => [name, value],
      );
      const send = (url: string, body: string) => fetch(url, { method: command.method, headers, body });
      expect((await send(command.url, command.body)).status).toBe(200);

      await until(() => demo.output().includes('Configuration changed: smtp.password'));
      expect(demo.output()).toContain('from secret/shared/smtp (version 1 to 2)');
      expect(await version()).toBe(2);
      const page = await (await fetch(address)).text();
      expect(page).toContain('rotated 1 time ');
      expect(page + demo.output().replace(command.body, '')).not.toContain('a-new-one');
      expect(anyRuns([service as number])).toBe(true);

      // The token of the command is good for nothing else.
      expect((await send(command.url.replace('shared/smtp', 'sample-app'), command.body)).status).toBe(403);
      demo.process.kill('SIGTERM');
      expect(await once(demo.process, 'exit')).toEqual([0, null]);
    },
    TIMEOUT_MS,
  );

  it(
    'leaves nothing behind when it is killed',
    async () => {
      const demo = await start();
      const pids = descendants(demo.pid);
      expect(anyRuns(pids)).toBe(true);
      demo.process.kill('SIGKILL');
      await until(() => !anyRuns(pids));
    },
    TIMEOUT_MS,
  );

  it(
    'listens on PORT, looks whether everything works, and with --once ends by itself',
    async () => {
      const probe = createServer().listen(0, '127.0.0.1');
      listeners.push(probe);
      await once(probe, 'listening');
      const PORT = String((probe.address() as AddressInfo).port);

      const refused = launch({ PORT }, '--once');
      expect(await once(refused.process, 'close')).toEqual([1, null]);
      expect(refused.output()).toMatch(/EADDRINUSE/);
      expect(refused.output()).toMatch(/The service has ended with code 1/);

      probe.close();
      await once(probe, 'close');
      const welcome = launch({ PORT }, '--once');
      expect(await once(welcome.process, 'close')).toEqual([0, null]);
      expect(welcome.output()).toContain(`curl 'http://127.0.0.1:${PORT}/sign?text=hello'`);
    },
    TIMEOUT_MS,
  );
});
