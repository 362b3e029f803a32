import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServerBinary } from '../../lib/server/find-binary.js';
import { freePort } from './fault-server.js';
import { startWatched } from './ldap/watched-process.js';

/** A real agent that logs in with AppRole, writes its token to two sinks, and adds it to the requests it passes on. */
export interface VaultAgent {
  /** `http://127.0.0.1:<port>`; refuses requests without `X-Vault-Request`. */
  readonly endpoint: string;
  /** File with the token. */
  readonly plainSink: string;
  /** File with the token, response-wrapped. */
  readonly wrappedSink: string;
  /** The token in the plain sink now. */
  token(): Promise<string>;
  /** Ends the agent and removes its files. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
const PORT_TRIES = 3;

/** Starts `bao agent` (or `vault agent`), which ends with this process. */
export async function startVaultAgent(server: string, roleId: string, secretId: string): Promise<VaultAgent> {
  for (let attempt = 1; ; attempt += 1) {
    const agent = await tryToStart(server, roleId, secretId);
    if (!('failed' in agent)) return agent;
    if (attempt === PORT_TRIES || !/address already in use/i.test(agent.failed)) {
      throw new Error(`The agent did not start:\n${agent.failed}`);
    }
  }
}

async function tryToStart(
  server: string,
  roleId: string,
  secretId: string,
): Promise<VaultAgent | { readonly failed: string }> {
  const binary = await findServerBinary();
  if (binary.kind !== 'program') throw new Error('The agent needs the program itself; it is not run from an image.');
  const workDir = await mkdtemp(join(tmpdir(), 'vault-agent-'));
  const file = (name: string): string => join(workDir, name);
  const [plainSink, wrappedSink, port] = [file('plain'), file('wrapped'), await freePort()];
  const config = {
    vault: { address: server },
    auto_auth: {
      method: [
        {
          type: 'approle',
          config: {
            role_id_file_path: file('role-id'),
            secret_id_file_path: file('secret-id'),
            remove_secret_id_file_after_reading: false,
          },
        },
      ],
      sink: [
        { type: 'file', config: { path: plainSink } },
        { type: 'file', wrap_ttl: '5m', config: { path: wrappedSink } },
      ],
    },
    listener: [{ tcp: { address: `127.0.0.1:${port}`, tls_disable: true, require_request_header: true } }],
    api_proxy: { use_auto_auth_token: true },
  };
  await Promise.all([
    writeFile(file('role-id'), roleId),
    writeFile(file('secret-id'), secretId, { mode: 0o600 }),
    writeFile(file('agent.hcl'), JSON.stringify(config)),
  ]);
  const agent = await startWatched([binary.path, 'agent', `-config=${file('agent.hcl')}`], {
    workDir,
    ready: /token written[^]*token written/,
    port,
    timeoutMs: START_TIMEOUT_MS,
  });
  if ('failed' in agent) return agent;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    plainSink,
    wrappedSink,
    token: () => readFile(plainSink, 'utf8'),
    stop: agent.stop,
  };
}
