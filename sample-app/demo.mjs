// The demo: a real OpenBao with secrets, a least-privilege policy and an AppRole, and the sample service started with
// nothing but the role id and a secret id. --once ends it after a first look at the page (for tests).
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { startVaultServer } from 'nestjs-vault/testing';

const folder = fileURLToPath(new URL('.', import.meta.url));
const once = process.argv.includes('--once');
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const SECRETS = {
  'secret/sample-app': { SIGNING_KEY: randomBytes(32).toString('base64') },
  'secret/shared/smtp': {
    host: 'smtp.example.com',
    port: 587,
    user: 'sample-app',
    password: randomBytes(18).toString('base64'),
  },
  'secret/sample-app/features': { checkout: { express: true, maxItems: 40 }, regions: ['eu', 'us'] },
};

let server;
let service;
let stopping;

async function stop(code) {
  stopping ??= (async () => {
    if (service && service.exitCode === null && service.signalCode === null) {
      const ended = new Promise((resolve) => service.once('exit', resolve));
      service.kill('SIGTERM');
      await ended;
    }
    await server?.stop();
    process.exit(code);
  })();
  await stopping;
}
process.on('SIGINT', () => void stop(0));
process.on('SIGTERM', () => void stop(0));

async function prepare() {
  server = await startVaultServer();
  await server.seed(SECRETS);
  const paths = Object.keys(SECRETS).map((path) => path.replace('/', '/data/'));
  await server.request('PUT', 'sys/policies/acl/sample-app', {
    policy: paths.map((path) => `path "${path}" { capabilities = ["read"] }`).join('\n'),
  });
  await server.request('POST', 'sys/auth/approle', { type: 'approle' });
  await server.request('POST', 'auth/approle/role/sample-app', { token_policies: ['sample-app'], token_ttl: '1h' });
  const role = await server.request('GET', 'auth/approle/role/sample-app/role-id');
  const secret = await server.request('POST', 'auth/approle/role/sample-app/secret-id', {});
  return { roleId: role.body.data.role_id, secretId: secret.body.data.secret_id };
}

/** Starts the service; it ends with its parent, because its standard input does. Resolves with its address. */
function startService({ roleId, secretId }) {
  const env = {
    PATH: process.env.PATH,
    VAULT_ADDR: server.endpoint,
    ROLE_ID: roleId,
    SECRET_ID: secretId,
    PORT: process.env.PORT ?? '0',
  };
  const program = `process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume(); await import(${JSON.stringify(new URL('dist/main.js', import.meta.url).href)});`;
  service = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    service.once('exit', (code) => reject(new Error(`The service ended with code ${code}.`)));
    let output = '';
    service.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      output += chunk;
      const address = /Listening on (http:\/\/\S+)/.exec(output);
      if (address) resolve(address[1]);
    });
  });
}

try {
  const built = spawnSync(process.execPath, [tsc, '-p', `${folder}tsconfig.json`], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('The sample application does not compile.');
  console.log('Starting OpenBao (the first time it is fetched, which takes a moment) …');
  const credentials = await prepare();
  const address = await startService(credentials);
  service.removeAllListeners('exit');
  service.once('exit', () => void stop(1));
  const page = await fetch(address);
  if (!page.ok) throw new Error(`The page answers ${page.status}.`);
  console.log(
    `\n  The page:  ${address}\n  Try:       curl '${address}/sign?text=hello'\n  Ctrl-C stops everything.\n`,
  );
  if (once) await stop(0);
} catch (error) {
  if (!stopping) {
    console.error(error instanceof Error ? error.message : error);
    await stop(1);
  }
}
