// Run as a process of its own by the canary test: does everything that succeeds and everything that fails with marked
// secrets, and prints every error, service and application object in every way somebody might log it. What it prints
// must hold none of them.
import 'reflect-metadata';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import type { VaultModuleOptions } from 'nestjs-vault';
import { VaultModule, VaultService } from 'nestjs-vault';
import { renderError, snapshotProcess } from './canary.js';

interface Input {
  readonly leak?: string;
  readonly boots: readonly VaultModuleOptions[];
  readonly secret: Record<string, unknown>;
  /** What a factory of `ConfigModule` itself makes, in one more boot with the first options. */
  readonly unresolved?: string;
  /** `HTTPS_PROXY` during these boots. */
  readonly proxied?: { readonly proxy: string; readonly boots: readonly VaultModuleOptions[] };
}

const input = JSON.parse(await text(process.stdin)) as Input;
const before = JSON.stringify(process.env);
let changes = 0;

function show(title: string, value: unknown): void {
  console.log(title, value instanceof Error ? renderError(value) : '');
  console.error(value);
  console.log(inspect(value, { depth: Infinity, showHidden: true, getters: true }));
  try {
    console.log(JSON.stringify(value));
  } catch {
    console.log('circular');
  }
}

async function use(vault: VaultService, config: ConfigService): Promise<void> {
  vault.events$.subscribe((event) => show('event', event));
  await vault.session.relogin().catch((error: unknown) => show('relogin', error));
  const kv = vault.kv();
  // On a snapshot, there is no Vault to do this with.
  if (!vault.degraded) {
    await kv.write('canary/written', input.secret);
    await kv.patch('canary/written', input.secret);
    await kv.read('canary/written');
  }
  show('degraded', vault.degraded);
  vault.changes$.subscribe((change) => show('change', change));
  Object.freeze(config.get('again'));
  if (!vault.degraded) {
    changes += 1;
    await kv.patch('canary/app', { ...input.secret, changes }).catch((error: unknown) => show('patch', error));
  }
  show('refreshed', await vault.refresh());
  for (const fails of [
    () => kv.write('canary/written', input.secret, { cas: 99 }),
    () => kv.write('canary/denied', input.secret),
    () => vault.write('sys/seal', input.secret),
    () => vault.read('canary/../sys'),
    () => kv.read('canary/absent'),
    () => vault.client.write('auth/approle/login', input.secret),
    () => vault.client.userpassLogin({ username: 'x', ...input.secret }),
    () => kv.read('canary/written', { timeoutMs: 0.001 }),
    () => kv.read('canary/written', { signal: AbortSignal.abort(input.secret) }),
  ]) {
    await fails().then(
      () => undefined,
      (error: unknown) => show('call', error),
    );
  }
  show('service', vault);
  show('status', vault.status);
  show('session', vault.session);
  show('status', vault.session.status);
  show('client', vault.client);
  show('engine', kv);
  show('origins', vault.origins());
}

/** What `canary-logins.ts` had to write as text: a function that returns it, or that fails with it. */
function revive({ auth, ...options }: VaultModuleOptions): VaultModuleOptions {
  if (auth?.method !== 'custom' && auth?.method !== 'oidc') return { ...options, ...(auth && { auth }) };
  const named = auth.method === 'custom' ? 'login' : 'openUrl';
  const written = String((auth as { login?: unknown; openUrl?: unknown })[named]);
  const made = async (url: unknown): Promise<unknown> => {
    if (written.startsWith('fail:')) throw new Error(written);
    if (named === 'login') return written;
    const page = await fetch(String(url), { redirect: 'manual' });
    const back = page.headers.get('location') ?? '';
    // The page comes when the login is over, which waits for this function.
    void fetch(back.replace('//localhost:', '//127.0.0.1:')).catch(() => undefined);
    return undefined;
  };
  return { ...options, auth: { ...auth, [named]: made } };
}

const runs: { options: VaultModuleOptions; load: (() => object)[]; proxy?: string | undefined }[] = input.boots.map(
  (boot) => ({
    options: revive(boot),
    load: [],
  }),
);
if (input.unresolved !== undefined && runs[0]) {
  runs.push({ options: runs[0].options, load: [() => ({ unresolved: [input.unresolved] })] });
}
for (const boot of input.proxied?.boots ?? []) runs.push({ options: boot, load: [], proxy: input.proxied?.proxy });
for (const { options, load, proxy } of runs) {
  if (proxy !== undefined) process.env['HTTPS_PROXY'] = proxy;
  try {
    const app = await NestFactory.createApplicationContext(
      {
        module: class AppModule {},
        imports: [ConfigModule.forRoot({ isGlobal: true, load }), VaultModule.forRoot(options)],
      },
      { abortOnError: false, logger: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'] },
    );
    const vault = app.get(VaultService);
    await use(vault, app.get(ConfigService));
    await app.close();
    await vault
      .kv()
      .read('x')
      .catch((error: unknown) => show('closed', error));
    await vault.session.relogin().catch((error: unknown) => show('closed', error));
    show('service after close', vault);
    show('status after close', vault.status);
    console.log('BOOTED');
  } catch (error) {
    show('boot', error);
    console.log('FAILED', (error as { code?: string }).code);
  } finally {
    if (proxy !== undefined) delete process.env['HTTPS_PROXY'];
  }
}
console.log(snapshotProcess());
if (input.leak !== undefined) console.log('control', input.leak);
console.log(before === JSON.stringify(process.env) ? 'ENVIRONMENT UNCHANGED' : 'ENVIRONMENT CHANGED');
