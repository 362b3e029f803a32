import { BlockList, isIP } from 'node:net';
import { VaultInvalidOptionError } from '../../errors/index.js';

/** What `request.proxy` holds when the proxy is that of the environment. @internal */
export const ENVIRONMENT_PROXY = 'environment';

/**
 * The variable that names the proxy for an address, as Go's `net/http`, and so Vault's own clients, choose it: `HTTPS_PROXY` for
 * `https:`, `HTTP_PROXY` for `http:`, the lower-case form first. None for this machine, and for what `NO_PROXY` lists.
 *
 * @internal
 */
export function environmentProxy(endpoint: string): { readonly name: string; readonly value: string } | undefined {
  if (!/^https?:/.test(endpoint)) return undefined;
  const { protocol, hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host) || isExcluded(host, port || (protocol === 'https:' ? '443' : '80'))) return undefined;
  return found(protocol === 'https:' ? 'https_proxy' : 'http_proxy');
}

function found(lower: string): { readonly name: string; readonly value: string } | undefined {
  for (const name of [lower, lower.toUpperCase()]) {
    const value = process.env[name];
    if (value) return { name, value };
  }
  return undefined;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Entries of `NO_PROXY`: `*`, a host with its subdomains, `.domain` for subdomains alone, an address, a block of addresses; with a port or without. */
function isExcluded(host: string, port: string): boolean {
  const entries = (found('no_proxy')?.value ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  return entries.some((entry) => entry === '*' || excludes(entry.toLowerCase(), host, port));
}

function excludes(entry: string, host: string, port: string): boolean {
  const [, address = '', bits] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (bits !== undefined) return isInBlock(address, Number(bits), host);
  const [, bracketed, plain = entry, ofEntry] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
  if (ofEntry !== undefined && ofEntry !== port) return false;
  const name = (bracketed ?? plain).replace(/^\*(?=\.)/, '');
  if (isIP(name)) return name === host;
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isInBlock(address: string, bits: number, host: string): boolean {
  const family = isIP(address);
  if (family === 0 || isIP(host) !== family || bits > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(address, bits, type);
  return block.check(host, type);
}

/**
 * The address of a proxy.
 *
 * @throws VaultInvalidOptionError naming where it was given; never the value, which may hold a password
 * @internal
 */
export function checkProxy(value: string, what: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const schemes = ['http:', 'https:'];
  if (!url || !schemes.includes(url.protocol) || url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new VaultInvalidOptionError(
      `${what} must be the address of a proxy: "http://" or "https://", host and port, such as "http://proxy.example.com:3128".`,
    );
  }
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new VaultInvalidOptionError(`${what} holds a user name or password in which a "%" is not written as "%25".`);
  }
  return url.href;
}
