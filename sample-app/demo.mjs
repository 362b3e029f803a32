// The demo: a real OpenBao with secrets, a policy for exactly these secrets, and an AppRole; then the sample service,
// started with a role id, a secret id and the server's address. --once ends it after a first look at the page.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { startVaultServer } from 'nestjs-vault/testing';

const SECRETS = {
  'secret/sample-app': { SIGNING_KEY: randomBytes(32).toString('base64') },
  'secret/shared/smtp': {
    host: 'smtp.mail-provider.example',
    port: 587,
    user: 'orders@shop.example',
    password: randomBytes(18).toString('base64'),
  },
  'secret/sample-app/features': { checkout: { express: true, maxItems: 40 }, regions: ['eu', 'us'] },
};
// For whoever plays with the demo: it can change the one secret, and nothing else. Its server ends with the demo.
const VISITOR = { token: 'demo', policy: 'path "secret/data/shared/smtp" { capabilities = ["patch"] }' };
const STOP_GRACE_MS = 5_000;
// The service ends with this process, however that ends: then its standard input ends too.
const LIFELINE =
  'data:text/javascript,process.stdin.on("end",()=>process.kill(process.pid,"SIGTERM")).resume().unref()';

const folder = fileURLToPath(new URL('.', import.meta.url));
let server;
let service;
let stopping;

function stop(code) {
  stopping ??= (async () => {
    if (service && service.exitCode === null && service.signalCode === null) {
      const ended = once(service, 'exit');
      service.kill('SIGTERM');
      const timer = setTimeout(() => service.kill('SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(timer);
    }
    // After the service, which gives its token back to the server.
    await server?.stop();
    process.exit(code);
  })();
  return stopping;
}

/** Whatever fails once everything is being stopped fails because of that. */
async function fail(error) {
  if (stopping) return;
  console.error(error instanceof Error ? error.message : error);
  await stop(1);
}

function port() {
  const value = process.env.PORT ?? '0';
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw new Error('PORT must be a number from 0 to 65535.');
  return value;
}

function compile() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('The sample application does not compile.');
}

/** Sets the server up, and returns what the service needs to log in. */
async function prepare() {
  await server.seed(SECRETS);
  const rules = Object.keys(SECRETS).map((path) => `path "${path.replace('/', '/data/')}" { capabilities = ["read"] }`);
  await server.request('PUT', 'sys/policies/acl/sample-app', { policy: rules.join('\n') });
  await server.request('PUT', 'sys/policies/acl/visitor', { policy: VISITOR.policy });
  await server.request('POST', 'auth/token/create', { id: VISITOR.token, policies: ['visitor'] });
  await server.request('POST', 'sys/auth/approle', { type: 'approle' });
  await server.request('POST', 'auth/approle/role/sample-app', { token_policies: ['sample-app'], token_ttl: '1h' });
  const role = await server.request('GET', 'auth/approle/role/sample-app/role-id');
  const secret = await server.request('POST', 'auth/approle/role/sample-app/secret-id', {});
  return { ROLE_ID: role.body.data.role_id, SECRET_ID: secret.body.data.secret_id };
}

/** Starts the service, with this environment and nothing else, and resolves with its address. */
function startService(env) {
  service = spawn(process.execPath, ['--import', LIFELINE, 'dist/main.js'], {
    cwd: folder,
    env: process.stdout.isTTY ? env : { ...env, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    service.once('error', fail);
    service.once('exit', (code, signal) =>
      fail(new Error(`The service has ended with ${signal ?? `code ${code}`}; its output says why.`)),
    );
    let output = '';
    service.stdout.setEncoding('utf8').on('data', (chunk) => {
      process.stdout.write(chunk);
      output += chunk;
      const address = /Listening on (http:\S+)/.exec(output);
      if (address) resolve(address[1]);
    });
  });
}

/** Looks whether the service answers, and whether it has its signing key. */
async function check(address) {
  const ask = async (path) => {
    const answer = await fetch(`${address}${path}`);
    if (!answer.ok) throw new Error(`${path} answers with status ${answer.status}.`);
    return answer;
  };
  await ask('/');
  const { signature } = await (await ask('/sign?text=hello')).json();
  const { valid } = await (await ask(`/verify?text=hello&signature=${signature}`)).json();
  if (!valid) throw new Error('The service does not know its own signature.');
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0));
try {
  const PORT = port();
  compile();
  console.log('Starting OpenBao; the first time it is fetched, which takes a moment …');
  server = await startVaultServer();
  const credentials = await prepare();
  const address = await startService({ VAULT_ADDR: server.endpoint, ...credentials, PORT });
  await check(address);
  console.log(`
  The page:  ${address}
  Try:       curl '${address}/sign?text=hello'
  Rotate:    curl -X PATCH -H 'X-Vault-Token: ${VISITOR.token}' -H 'Content-Type: application/merge-patch+json' \\
               -d '{"data":{"password":"a-new-one"}}' ${server.endpoint}/v1/secret/data/shared/smtp
             then reload the page: two seconds later it shows version 2, and nothing was restarted.
  Stop:      Ctrl-C
`);
  if (process.argv.includes('--once')) await stop(0);
} catch (error) {
  await fail(error);
}
