import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient } from './admin-client.js';
import { findServerBinary } from './binary/find-server-binary.js';
import { createCertificates } from './certificates.js';
import { freePorts } from './free-ports.util.js';
import { writeServerConfig } from './server-config.js';
import { ServerOutput } from './server-output.js';
import { ServerProcess } from './server-process.js';
import { initialise, mountKv2, replaceRootToken, unseal, waitUntil } from './server-setup.js';
import type { ServerSecrets } from './server-setup.js';
import { VaultServer } from './vault-server.js';
import type { VaultServerOptions } from './vault-server.options.js';

const PORT_ATTEMPTS = 5;

/**
 * Starts a real OpenBao (or Vault) server for tests, on a free port of 127.0.0.1, and waits until it is ready to use.
 *
 * The server knows nothing of the caller's `VAULT_*` and `BAO_*` variables or home directory, prints nothing to the console, and
 * ends with this process, even when that is killed. Any number can run at once.
 * @throws VaultTestServerError when no binary is found or the server does not come up; the message quotes its output
 * @throws VaultAbortedError when `signal` aborts the start
 * @publicApi
 */
export async function startVaultServer(options: VaultServerOptions = {}): Promise<VaultServer> {
  const { storage = 'dev', startTimeoutMs: timeoutMs = 30_000, signal } = options;
  const binary = await findServerBinary(options);
  const tls = options.tls === true ? await createCertificates() : options.tls || undefined;
  const scratchDir = await mkdtemp(join(tmpdir(), 'nestjs-vault-'));
  const dataDir = options.dataDir ?? join(scratchDir, 'data');
  const output = new ServerOutput(options.onOutput);

  const launchOn = async (port: number, clusterPort: number) => {
    const { file, caFile } = await writeServerConfig({
      scratchDir,
      dataDir,
      storage,
      listenHost: '127.0.0.1',
      port,
      clusterPort,
      tls,
      extra: options.config,
    });
    const started = await ServerProcess.start({
      command: [binary.path, 'server', `-config=${file}`],
      env: serverEnvironment(scratchDir),
      scratchDir,
      output,
      timeoutMs,
      signal,
    });
    return { started, caFile };
  };

  let admin: AdminClient | undefined;
  let process: ServerProcess | undefined;
  try {
    let caFile: string | undefined;
    let port = 0;
    let clusterPort = 0;
    for (let attempt = 1; process === undefined; attempt += 1) {
      const [first = 0, second = 0] = await freePorts(2);
      port = options.port ?? first;
      clusterPort = second;
      const { started, ...files } = await launchOn(port, clusterPort);
      if (started instanceof ServerProcess) {
        process = started;
        caFile = files.caFile;
      } else if (!started.portTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw started.error;
    }

    const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    // Given certificates may be wrong on purpose; the test server's own calls must work all the same.
    const client = new AdminClient(
      endpoint,
      tls && { ca: tls.ca, cert: tls.client?.cert, key: tls.client?.key, rejectUnauthorized: options.tls === true },
    );
    admin = client;
    const health = await waitUntil(
      'reachable',
      () => client.request('GET', 'sys/health', undefined, { throwOnError: false }),
      ({ body }) => typeof (body as { version?: unknown } | undefined)?.version === 'string',
      timeoutMs,
    );
    const { version, initialized } = health.body as { version: string; initialized: boolean };
    const secrets = await open(client, initialized, options, timeoutMs);
    return new VaultServer({
      endpoint,
      storage,
      dataDir: storage === 'dev' ? undefined : dataDir,
      ca: tls?.ca,
      caFile,
      client: tls?.client,
      ...secrets,
      version,
      process,
      admin: client,
      output,
      scratchDir,
      timeoutMs,
      launch: async () => {
        const { started } = await launchOn(port, clusterPort);
        if (started instanceof ServerProcess) return started;
        throw started.error;
      },
    });
  } catch (error) {
    await process?.stop(0);
    await admin?.close();
    await rm(scratchDir, { recursive: true, force: true });
    throw error;
  }
}

/** Brings a server that has just started to the state the options ask for. */
async function open(
  admin: AdminClient,
  initialized: boolean,
  options: VaultServerOptions,
  timeoutMs: number,
): Promise<ServerSecrets> {
  const { initialize = true, seal = { shares: 1, threshold: 1 }, unsealKeys = [] } = options;
  if (initialized) {
    if (unsealKeys.length > 0) await unseal(admin, unsealKeys, timeoutMs);
    return { rootToken: options.rootToken ?? '', unsealKeys };
  }
  if (!initialize) return { rootToken: '', unsealKeys: [] };

  const secrets = await initialise(admin, seal);
  await unseal(admin, secrets.unsealKeys, timeoutMs);
  if (options.rootToken !== undefined) {
    await replaceRootToken(admin, secrets.rootToken, options.rootToken);
    secrets.rootToken = options.rootToken;
  }
  await mountKv2(admin, 'secret', secrets.rootToken, timeoutMs);
  return secrets;
}

/** The server gets a home of its own and none of the caller's settings. */
function serverEnvironment(scratchDir: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: scratchDir, TMPDIR: scratchDir };
}
