import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerCertificates } from './certificates.js';
import type { VaultServerStorage } from './vault-server.options.js';

/** File in the scratch directory with the certificate of the authority. @internal */
export const CA_FILE = 'ca.pem';

/** @internal */
export interface ServerConfigInput {
  scratchDir: string;
  dataDir: string;
  storage: VaultServerStorage;
  /** Address to listen on. */
  host: string;
  port: number;
  clusterPort: number;
  tls?: ServerCertificates | undefined;
  /** Further settings, which take precedence over generated ones. */
  config?: Record<string, unknown> | undefined;
}

/**
 * Writes the configuration file and certificates of a server to the scratch directory.
 * @returns the path of the configuration file
 * @internal
 */
export async function writeServerConfig(input: ServerConfigInput): Promise<string> {
  const { scratchDir, dataDir, storage, host, port, clusterPort, tls } = input;
  const write = async (name: string, content: string): Promise<string> => {
    const path = join(scratchDir, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  if (storage !== 'dev') await mkdir(dataDir, { recursive: true, mode: 0o700 });

  const listener: Record<string, unknown> = {
    address: `${host}:${port}`,
    cluster_address: `${host}:${clusterPort}`,
  };
  if (tls === undefined) listener['tls_disable'] = true;
  else {
    listener['tls_cert_file'] = await write('server.pem', tls.cert);
    listener['tls_key_file'] = await write('server-key.pem', tls.key);
    if (tls.client !== undefined) {
      listener['tls_client_ca_file'] = await write('client-ca.pem', tls.client.ca);
      listener['tls_require_and_verify_client_cert'] = true;
    }
  }
  const config = {
    listener: [{ tcp: listener }],
    storage: storageStanza(storage, dataDir),
    api_addr: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    cluster_addr: `https://127.0.0.1:${clusterPort}`,
    // Vault does not start where it may not lock memory. OpenBao does not lock memory and warns about the setting.
    disable_mlock: true,
    ...input.config,
  };
  if (tls?.ca !== undefined) await write(CA_FILE, tls.ca);
  return write('config.json', JSON.stringify(config));
}

function storageStanza(storage: VaultServerStorage, dataDir: string): Record<string, unknown> {
  switch (storage) {
    case 'dev':
      return { inmem: {} };
    case 'file':
      return { file: { path: dataDir } };
    case 'raft':
      // A multiplier of 1 makes elections fast.
      return { raft: { path: dataDir, node_id: 'test', performance_multiplier: '1' } };
  }
}
