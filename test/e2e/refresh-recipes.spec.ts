// The recipes of docs/keeping-current.md, as they stand there: a secret changes in Vault, and the running application uses the new one.
import 'reflect-metadata';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { Controller, Get, Injectable, Request, UseGuards } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard } from '@nestjs/passport';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import type { VaultSource } from '../../lib/index.js';
import { VaultModule, VaultService } from '../../lib/index.js';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import type { PostgresServer } from '../support/postgres-server.js';
import { startPostgresServer } from '../support/postgres-server.js';
import { signing } from './recipes/auth.module.js';
import { database } from './recipes/database.module.js';
import { JwtStrategy } from './recipes/jwt.strategy.js';
import { Mailer } from './recipes/mailer.js';

const RECIPES = new URL('recipes/', import.meta.url);

let server: VaultServer;

beforeAll(async () => {
  server = await startVaultServer();
});
afterAll(() => server.stop());

async function start(sources: VaultSource[], { imports = [], ...metadata }: ModuleMetadata): Promise<INestApplication> {
  const testing = await Test.createTestingModule({
    imports: [
      ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
      VaultModule.forRoot({
        endpoint: server.endpoint,
        auth: { method: 'token', token: server.rootToken },
        config: { sources },
      }),
      ...imports,
    ],
    ...metadata,
  }).compile();
  return testing.createNestApplication({ logger: false }).init();
}

/** Writes the secret and has the application read it. */
async function rotate(app: INestApplication, path: string, data: object): Promise<void> {
  await server.seed({ [path]: { ...data } });
  expect(await app.get(VaultService).refresh()).toMatchObject({ change: expect.anything() as unknown, problems: [] });
}

describe('the recipes', () => {
  it('stand in docs/keeping-current.md word by word', async () => {
    const guide = await readFile(new URL('../../docs/keeping-current.md', import.meta.url), 'utf8');
    const names = await readdir(RECIPES);
    expect(names).toHaveLength(4);
    for (const name of names)
      expect(guide).toContain(`\`\`\`ts\n// ${name}\n${await readFile(new URL(name, RECIPES), 'utf8')}\`\`\`\n`);
  });
});

describe('passport-jwt and JwtModule', () => {
  @Controller()
  class UserController {
    @Get('me')
    @UseGuards(AuthGuard('jwt'))
    me(@Request() request: { user: { userId: string } }): string {
      return request.user.userId;
    }
  }
  @Injectable()
  class Login {
    constructor(readonly tokens: JwtService) {}
  }

  it('sign and verify with the new secret once it has changed', async () => {
    await server.seed({ 'secret/auth': { JWT_SECRET: 'jwt-secret-one' } });
    const app = await start(['auth'], {
      imports: [signing],
      controllers: [UserController],
      providers: [JwtStrategy, Login],
    });
    try {
      await app.listen(0, '127.0.0.1');
      const url = `${await app.getUrl()}/me`;
      const me = async (token: string) => {
        const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
        return [response.status, response.ok ? await response.text() : ''];
      };
      const { tokens } = app.get(Login);
      const old = tokens.sign({ sub: 'ada' });
      expect(await me(old)).toEqual([200, 'ada']);

      await rotate(app, 'secret/auth', { JWT_SECRET: 'jwt-secret-two' });

      const fresh = await tokens.signAsync({ sub: 'ada' });
      expect(await me(fresh)).toEqual([200, 'ada']);
      expect(tokens.verify(fresh)).toMatchObject({ sub: 'ada' });
      // Not a copy of the old secret anywhere.
      expect(await me(old)).toEqual([401, '']);
      await expect(tokens.verifyAsync(old)).rejects.toThrow();
    } finally {
      await app.close();
    }
  });
});

describe('TypeORM on PostgreSQL', () => {
  let postgres: PostgresServer;

  beforeAll(async () => {
    postgres = await startPostgresServer('database-password-one');
  }, 60_000);
  afterAll(() => postgres.stop());

  it('opens new connections with the new password', async () => {
    const secret = (password: string) => ({
      ...{ host: postgres.host, port: postgres.port, name: 'postgres', username: postgres.user, password },
    });
    await server.seed({ 'secret/database': secret('database-password-one') });
    const app = await start([{ secretPath: 'database', as: 'database' }], { imports: [database] });
    try {
      const source = app.get(DataSource);
      const connection = async () => (await source.query<{ pid: number }[]>('SELECT pg_backend_pid() AS pid'))[0]?.pid;
      const first = await connection();
      await source.query(`ALTER ROLE "${postgres.user}" PASSWORD 'database-password-two'`);

      await rotate(app, 'secret/database', secret('database-password-two'));

      // All connections are taken at once: the pool must open others.
      const runners = Array.from({ length: 4 }, () => source.createQueryRunner());
      const pids = await Promise.all(
        runners.map(async (runner) => {
          const [row] = (await runner.query('SELECT pg_backend_pid() AS pid')) as { pid: number }[];
          return row?.pid;
        }),
      );
      await Promise.all(runners.map((runner) => runner.release()));
      expect(new Set(pids).size).toBe(4);
      expect(pids.filter((pid) => pid !== first).length).toBeGreaterThanOrEqual(3);
    } finally {
      await app.close();
    }
  });
});

describe('nodemailer', () => {
  it('logs in to the mail server with the new password', async () => {
    const mails = await startMailServer();
    const secret = (password: string) => ({ host: '127.0.0.1', port: mails.port, user: 'app', password });
    await server.seed({ 'secret/smtp': secret('smtp-password-one') });
    const app = await start([{ secretPath: 'smtp', as: 'smtp' }], { providers: [Mailer] });
    const mail = { from: 'app@example.com', to: 'ada@example.com', subject: 'Hello', text: 'Hello' };
    try {
      mails.password = 'smtp-password-one';
      await app.get(Mailer).send(mail);
      mails.password = 'smtp-password-two';
      await expect(app.get(Mailer).send(mail)).rejects.toMatchObject({ code: 'EAUTH' });

      await rotate(app, 'secret/smtp', secret('smtp-password-two'));

      await app.get(Mailer).send(mail);
      expect(mails.accepted).toBe(2);
    } finally {
      await app.close();
      await mails.close();
    }
  });
});

/** A mail server that accepts mail after a login with the password, and discards it. */
async function startMailServer() {
  const state = { password: '', accepted: 0 };
  const answer = (socket: Socket): void => {
    let isData = false;
    const say = (line: string) => socket.write(`${line}\r\n`);
    say('220 localhost ESMTP');
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const text = chunk.toString();
      const [command = ''] = text.toUpperCase().split(/\s/);
      if (isData) {
        if (!text.endsWith('\r\n.\r\n')) return;
        isData = false;
        state.accepted += 1;
        say('250 OK');
      } else if (command === 'EHLO') say('250-localhost\r\n250 AUTH PLAIN');
      else if (command === 'AUTH') {
        const [, , password] = Buffer.from(text.trim().split(' ')[2] ?? '', 'base64')
          .toString()
          .split('\0');
        say(password === state.password ? '235 OK' : '535 Authentication failed');
      } else if (command === 'DATA') {
        isData = true;
        say('354 Go on');
      } else if (command === 'QUIT') socket.end('221 Bye\r\n');
      else say('250 OK');
    });
  };
  const listener = createServer(answer).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return Object.assign(state, {
    port: (listener.address() as AddressInfo).port,
    close: () => new Promise((closed) => listener.close(closed)),
  });
}
