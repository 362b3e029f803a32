import { WATCHDOG_SCRIPT, runProgram } from './run-program.js';

const ENGINE_TIMEOUT_MS = 20_000;
const PULL_TIMEOUT_MS = 300_000;

/**
 * Looks for a running Docker engine and makes sure that it has the server's image.
 * @param tried receives why not
 * @returns name of the image
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
 * Command that runs a server in a container, with the ports published on 127.0.0.1 only and the directories under the names they
 * have outside. The same watchdog runs inside, on standard input: killing the client does not end a container, the end of its
 * input does.
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
    // Nothing to remove in there: the scratch directory belongs to the watchdog outside.
    ...['nestjs-vault', '/nonexistent', 'bao', ...args],
  ];
}
