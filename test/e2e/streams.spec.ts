import 'reflect-metadata';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication, INestApplicationContext, MessageEvent } from '@nestjs/common';
import { Controller, Inject, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { map } from 'rxjs';
import { vaultConfig, VaultModule, VaultService } from '../../lib/index.js';
import { AuthBench } from '../support/auth-bench.js';
import { bootApplication } from '../support/boot-application.js';

let bench: AuthBench;
const open: INestApplicationContext[] = [];

beforeAll(async () => {
  bench = await AuthBench.start();
  await bench.server.seed({ 'secret/app': { PASSWORD: 'first' } });
  await bench.server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
  await bench.server.request('PUT', 'sys/policies/acl/app', {
    policy: 'path "secret/data/app" { capabilities = ["read"] }',
  });
  await bench.server.request('POST', 'auth/userpass/users/app', { password: 'pw-of-app', token_policies: ['app'] });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
  await bench.reset();
});
afterAll(() => bench.stop());

@Controller()
class Streams {
  constructor(@Inject(VaultService) readonly vault: VaultService) {}

  @Sse('events')
  events(): Observable<MessageEvent> {
    return this.vault.events$.pipe(map(({ type }) => ({ data: type })));
  }

  @Sse('changes')
  changes(): Observable<MessageEvent> {
    return this.vault.changes$.pipe(map(({ keys }) => ({ data: keys.join() })));
  }
}

const vaultModule = () =>
  VaultModule.forRoot({
    endpoint: bench.front.endpoint,
    auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
    config: { sources: ['app', vaultConfig('mail', { secretPath: 'app' })] },
  });

async function listen(): Promise<{ readonly app: INestApplication; readonly url: string }> {
  const app = await NestFactory.create(
    { module: class AppModule {}, imports: [vaultModule()], controllers: [Streams] },
    { abortOnError: false, logger: false },
  );
  open.push(app);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

async function subscribe(url: string): Promise<IncomingMessage> {
  // Without an agent the client keeps no idle socket, for which the server would wait seconds.
  const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

describe('an HTTP application with an open event stream', () => {
  it.each(['events', 'changes'])('of %s closes, ends the stream and revokes its token', async (path) => {
    const { app, url } = await listen();
    const { accessor } = app.get(VaultService).session;
    const response = await subscribe(`${url}/${path}`);
    let received = '';
    response.on('data', (chunk: Buffer) => (received += chunk.toString()));
    // A login is an event, and a new version of the secret a change.
    const first = once(response, 'data');
    await app.get(VaultService).session.relogin();
    await bench.server.seed({ 'secret/app': { PASSWORD: `second of ${path}` } });
    await app.get(VaultService).refresh();
    await first;
    const ended = once(response, 'end');
    await app.close();
    await ended;
    expect(received).toContain(path === 'events' ? 'login' : 'PASSWORD');
    expect(await bench.alive(accessor)).toBe(false);
  });
});

it('streams end with the application they belong to, also for those who subscribe later, and not with another one on the same session', async () => {
  const imports = [vaultModule()];
  const root = { module: class AppModule {}, imports };
  const [first, second] = await Promise.all([bootApplication(root), bootApplication(root)]);
  open.push(first, second);
  const ended: string[] = [];
  const watch = (name: string, vault: VaultService): void => {
    vault.events$.subscribe({ complete: () => ended.push(`${name} events$`) });
    vault.changes$.subscribe({ complete: () => ended.push(`${name} changes$`) });
  };
  watch('first', first.get(VaultService));
  watch('second', second.get(VaultService));
  expect(first.get(VaultService).session.accessor).toBe(second.get(VaultService).session.accessor);
  await first.close();
  watch('late', first.get(VaultService));
  expect(ended.sort()).toEqual(['first changes$', 'first events$', 'late changes$', 'late events$']);
});
