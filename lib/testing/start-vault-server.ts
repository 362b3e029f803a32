import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VaultAbortedError } from '../errors/vault-aborted.error.js';
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
 * Starts a real OpenBao (or Vault) server for tests, on a free port of 127.0.0.1, and waits until it is ready to use.
 *
 * The server knows nothing of the caller's `VAULT_*` and `BAO_*` variables or home directory, prints nothing to the console, and
 * ends with this process, even when that is killed. Any number can run at once. Works on Linux and macOS.
 * @throws VaultTestServerError when no binary is found or the server does not come up; the message quotes its output
 * @throws VaultAbortedError when `signal` aborts the start
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
  // Without its server, whatever the start still waits for fails.
  const end = (): void => void server?.stop(0);
  let admin: AdminClient | undefined;
  try {
    const [process, port, clusterPort] = await launchOnFreePorts(options.port, launchOn);
    server = process;
    signal?.addEventListener('abort', end);
    const endpoint = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const client = (admin = new AdminClient(endpoint, tls && adminTls(tls, options.tls === true)));
    const { body } = await waitUntil(
      'reachable',
      () => client.request('GET', 'sys/health', undefined, { throwOnError: false }),
      (answer) => typeof (answer.body as { version?: unknown } | undefined)?.version === 'string',
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
    signal?.removeEventListener('abort', end);
  }
}

/** Between asking for free ports and using them, another process may take one: then others are tried, unless one was given. */
async function launchOnFreePorts(
  wanted: number | undefined,
  launch: (port: number, clusterPort: number) => Promise<ServerProcess | StartFailure>,
): Promise<[process: ServerProcess, port: number, clusterPort: number]> {
  for (let attempt = 1; ; attempt += 1) {
    const [free, clusterPort] = await freePorts();
    const port = wanted ?? free;
    const launched = await launch(port, clusterPort);
    if (launched instanceof ServerProcess) return [launched, port, clusterPort];
    if (!launched.portTaken || wanted !== undefined || attempt === PORT_ATTEMPTS) throw launched.error;
  }
}

/** Given certificates may be wrong on purpose, and the calls that set the server up must work all the same. */
function adminTls({ ca, client }: ServerCertificates, made: boolean): ConstructorParameters<typeof AdminClient>[1] {
  return { ca, cert: client?.cert, key: client?.key, rejectUnauthorized: made };
}
