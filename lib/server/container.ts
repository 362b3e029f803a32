import { WATCHDOG_SCRIPT, runProgram } from './run-program.js';

const ENGINE_TIMEOUT_MS = 20_000;
const PULL_TIMEOUT_MS = 300_000;

/**
 * Finds the server's image on a running Docker engine, or pulls it.
 * @param tried receives the reason if there is none
 * @returns the name of the image
 * @internal
 */
export async function findContainerImage(
  version: string,
  { env, signal, tried }: { env: NodeJS.ProcessEnv; signal?: AbortSignal | undefined; tried: string[] },
): Promise<string | undefined> {
  const engine = await runProgram(['docker', 'version', '--format', '{{.Server.Version}}'], {
    env,
    timeoutMs: ENGINE_TIMEOUT_MS,
    signal,
  });
  if (!engine.ok) {
    tried.push(`container through docker: ${engine.reason}`);
    return undefined;
  }
  const image = `openbao/openbao:${version}`;
  const present = await runProgram(['docker', 'image', 'inspect', image], {
    env,
    timeoutMs: ENGINE_TIMEOUT_MS,
    signal,
  });
  if (present.ok) return image;
  const pulled = await runProgram(['docker', 'pull', '--quiet', image], { env, timeoutMs: PULL_TIMEOUT_MS, signal });
  if (pulled.ok) return image;
  tried.push(`container ${image} through docker: ${pulled.reason}`);
  return undefined;
}

/**
 * Command that runs a server in a container, with ports published on 127.0.0.1 only and directories mounted under their own
 * paths. Killing the Docker client does not stop a container, so the watchdog also runs inside it and stops the server at the
 * end of standard input.
 * @internal
 */
export function containerCommand(
  image: string,
  { directories, ports, args }: { directories: string[]; ports: number[]; args: string[] },
): string[] {
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  return [
    ...['docker', 'run', '--rm', '--interactive', '--user', user, '--env', 'HOME=/tmp'],
    ...ports.flatMap((port) => ['--publish', `127.0.0.1:${port}:${port}`]),
    ...directories.flatMap((directory) => ['--volume', `${directory}:${directory}`]),
    ...['--entrypoint', '/bin/sh', image, '-c', `exec 3<&0 </dev/null\n${WATCHDOG_SCRIPT}`],
    // The watchdog outside removes the scratch directory, so this one gets a path that does not exist.
    ...['nestjs-vault', '/nonexistent', 'bao', ...args],
  ];
}
