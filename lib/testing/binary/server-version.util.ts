import { stat } from 'node:fs/promises';
import { runProgram } from './run-program.util.js';

const TIMEOUT_MS = 20_000;

/** Answers by path, modification time and size: asking a binary of 200 MB takes a tenth of a second. */
const known = new Map<string, string>();

/**
 * Asks a program whether it is an OpenBao or Vault server, and which version.
 * @returns the version, or the reason why it is none
 * @internal
 */
export async function serverVersion(
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<{ version: string } | { reason: string }> {
  const identity = await stat(path).then(
    ({ mtimeMs, size }) => `${path} ${mtimeMs} ${size}`,
    () => path,
  );
  const version = known.get(identity);
  if (version !== undefined) return { version };
  const { ok, stdout, reason } = await runProgram([path, 'version'], { env, timeoutMs: TIMEOUT_MS });
  if (!ok) return { reason };
  const answered = /^(?:OpenBao|Vault) v(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (answered === undefined) return { reason: 'its "version" command names neither OpenBao nor Vault' };
  known.set(identity, answered);
  return { version: answered };
}
