import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VaultAbortedError } from '../errors/index.js';
import { AdminClient } from '../server/admin-client.js';
import { findServerBinary } from '../server/find-binary.js';
import { createCertificates } from '../server/certificates.js';
import type { ServerCertificates } from '../server/certificates.js';
import { freePorts } from '../server/run-program.js';
import { ServerOutput, listenHost, serverCommand } from '../server/server-command.js';
import { writeServerConfig } from '../server/server-config.js';
import { ServerProcess } from '../server/server-process.js';
import type { StartFailure } from '../server/server-process.js';
import { prepareServer, waitUntil } from '../server/server-setup.js';
import { VaultTestServerError } from '../server/server-error.js';
import { VaultServer } from '../server/vault-server.js';
import type { VaultServerOptions } from '../server/vault-server.options.js';

const PORT_ATTEMPTS = 5;

/**
 * Starts a real OpenBao (or Vault) server for tests on a free port of 127.0.0.1 and waits until it is ready.
 *
 * The server does not see the caller's `VAULT_*` and `BAO_*` variables or home directory, prints nothing to the console, and ends
 * with this process, even if this process is killed. Any number of servers can run at the same time. Requires Linux or macOS.
 * @throws VaultTestServerError if no binary is found or the server does not start; the message quotes the server's output
 * @throws VaultAbortedError if `signal` aborts the start
 * @publicApi
 */
export async function startVaultServer(options: VaultServerOptions = {}): Promise<VaultServer> {
  if (process.platform === 'win32') {
    throw new VaultTestServerError(
      'usage',
      'Test servers run on Linux and macOS. On Windows, run the tests inside WSL.',
    );
  }
  const { storage = 'dev', startTimeoutMs: timeoutMs = 30_000, signal, config } = options;
  const binary = await findServerBinary(options);
  const tls = options.tls === true ? await createCertificates() : options.tls || undefined;
  const scratchDir = await mkdtemp(join(tmpdir(), 'nestjs-vault-'));
  const dataDir = resolve(options.dataDir ?? join(scratchDir, 'data'));
  const output = new ServerOutput(options.onOutput);

  const launchOn = async (port: number, clusterPort: number): Promise<ServerProcess | StartFailure> => {
    const host = listenHost(binary);
    const configFile = await writeServerConfig({ scratchDir, dataDir, storage, host, port, clusterPort, tls, config });
    const directories = options.dataDir === undefined ? [scratchDir] : [scratchDir, dataDir];
    const command = serverCommand(binary, { configFile, scratchDir, directories, ports: [port, clusterPort] });
    return ServerProcess.start({ ...command, scratchDir, output, timeoutMs, signal });
  };

  let server: ServerProcess | undefined;
  // Without the server, any pending step of the start fails.
  const stopServer = (): void => void server?.stop(0);
  let admin: AdminClient | undefined;
  try {
    const [process, port, clusterPort] = await launchOnFreePorts(options.port, launchOn);
    server = process;
    signal?.addEventListener('abort', stopServer);
    const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const client = (admin = new AdminClient(endpoint, tls && adminTls(tls, options.tls === true)));
    const { body } = await waitUntil(
      'reachable',
      () => client.request('GET', 'sys/health', undefined, { throwOnError: false }),
      (response) => typeof (response.body as { version?: unknown } | undefined)?.version === 'string',
      timeoutMs,
    );
    const { version, initialized } = body as { version: string; initialized: boolean };
    const secrets = await prepareServer(client, initialized, options, timeoutMs);
    signal?.throwIfAborted();
    return new VaultServer({
      ...secrets,
      endpoint,
      port,
      storage,
      dataDir: storage === 'dev' ? undefined : dataDir,
      keepsData: options.dataDir !== undefined,
      tls,
      version,
      process,
      admin: client,
      output,
      scratchDir,
      timeoutMs,
      launch: () => launchOn(port, clusterPort),
    });
  } catch (error) {
    await server?.stop(0);
    await admin?.close();
    await rm(scratchDir, { recursive: true, force: true });
    throw signal?.aborted === true ? new VaultAbortedError('The start of the test server was aborted.') : error;
  } finally {
    signal?.removeEventListener('abort', stopServer);
  }
}

/** Another process may take a free port before the server does. Then another port is tried, unless the port was given. */
async function launchOnFreePorts(
  givenPort: number | undefined,
  launch: (port: number, clusterPort: number) => Promise<ServerProcess | StartFailure>,
): Promise<[process: ServerProcess, port: number, clusterPort: number]> {
  for (let attempt = 1; ; attempt += 1) {
    const [free, clusterPort] = await freePorts();
    const port = givenPort ?? free;
    const launched = await launch(port, clusterPort);
    if (launched instanceof ServerProcess) return [launched, port, clusterPort];
    if (!launched.portTaken || givenPort !== undefined || attempt === PORT_ATTEMPTS) throw launched.error;
  }
}

/** Given certificates may be invalid on purpose, so the requests that set up the server do not verify them. */
function adminTls({ ca, client }: ServerCertificates, verify: boolean): ConstructorParameters<typeof AdminClient>[1] {
  return { ca, cert: client?.cert, key: client?.key, rejectUnauthorized: verify };
}
