import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Directory of fetched server binaries: `NESTJS_VAULT_CACHE_DIR`, else `nestjs-vault` in the user's cache directory
 * (`XDG_CACHE_HOME`, `~/Library/Caches` on macOS, `~/.cache` elsewhere).
 * @internal
 */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  const own = env['NESTJS_VAULT_CACHE_DIR'];
  if (own) return own;
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg && isAbsolute(xdg)) return join(xdg, 'nestjs-vault');
  const home = env['HOME'] ?? homedir();
  return join(home, process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'nestjs-vault');
}

/** Path of a server version in the cache. @internal */
export function cachedBinary(version: string, env: NodeJS.ProcessEnv): string {
  return join(cacheDirectory(env), `openbao-${version}-${process.platform}-${process.arch}`, 'bao');
}
