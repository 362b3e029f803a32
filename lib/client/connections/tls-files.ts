import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { VaultInvalidOptionError } from '../../errors/index.js';
import type { TlsMaterial } from './check-tls.js';
import { certificatesIn, secureContextOf } from './check-tls.js';
import type { TlsOptions, VaultPem } from './tls.options.js';

/** No certificate or bundle of them comes near; a log file or a device put in the wrong place does. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const PEM_TEXT = '-----BEGIN';

/**
 * The certificates and the key of the TLS options, which follow the files they are in: what a platform rotates is taken up
 * at the next connection. What cannot be used, such as the new certificate beside the old key, changes nothing: the last
 * good ones stay, and the files are looked at again the next time.
 * @internal
 */
export class TlsFiles {
  readonly #options: TlsOptions;
  #context: SecureContext;
  #stamp: string;

  private constructor(options: TlsOptions, context: SecureContext, stamp: string) {
    this.#options = options;
    this.#context = context;
    this.#stamp = stamp;
  }

  /** @throws VaultInvalidOptionError naming the option, its variable and the file */
  static async load(options: TlsOptions): Promise<TlsFiles> {
    // Before reading, so that a change in between is noticed later.
    const stamp = await stampOf(options);
    return new TlsFiles(options, secureContextOf(await read(options)), stamp);
  }

  /** What `current()` has last returned. */
  get latest(): SecureContext {
    return this.#context;
  }

  /** What the next connection is secured with; another object when the files have changed. Never fails. */
  async current(): Promise<SecureContext> {
    const stamp = await stampOf(this.#options);
    if (stamp === this.#stamp) return this.#context;
    try {
      this.#context = secureContextOf(await read(this.#options));
      this.#stamp = stamp;
    } catch {
      // Half written, or gone for a moment.
    }
    return this.#context;
  }
}

async function read({ ca, cert, key, passphrase }: TlsOptions): Promise<TlsMaterial> {
  if ((cert === undefined) !== (key === undefined)) {
    throw new VaultInvalidOptionError(
      '"tls.cert" and "tls.key" (VAULT_CLIENT_CERT, VAULT_CLIENT_KEY) come together; one of them is missing.',
    );
  }
  return {
    ca: await readAuthorities(ca),
    cert: cert === undefined ? undefined : await readPem(cert, '"tls.cert" (VAULT_CLIENT_CERT)'),
    key: key === undefined ? undefined : await readPem(key, '"tls.key" (VAULT_CLIENT_KEY)'),
    passphrase: typeof passphrase === 'function' ? await passphrase() : passphrase,
  };
}

async function readAuthorities(ca: TlsOptions['ca']): Promise<(string | Uint8Array)[]> {
  if (ca === undefined) return [];
  if (typeof ca === 'object' && 'directory' in ca) return readDirectory(ca.directory);
  return Promise.all((Array.isArray(ca) ? (ca as VaultPem[]) : [ca as VaultPem]).map((pem) => readPem(pem, CA)));
}

const CA = '"tls.ca" (VAULT_CACERT)';
const CA_DIRECTORY = '"tls.ca" (VAULT_CAPATH)';

/** As with OpenSSL's directories, other files may lie beside the certificates; hidden ones are a platform's own. */
async function readDirectory(directory: string): Promise<string[]> {
  const files = await filesIn(directory).catch((error: unknown) => {
    throw unreadable(CA_DIRECTORY, 'directory', directory, error);
  });
  const contents = await Promise.all(files.map((file) => readBytes(file, CA_DIRECTORY)));
  const certificates = contents.flatMap((content) => certificatesIn(content));
  if (certificates.length > 0) return certificates;
  throw new VaultInvalidOptionError(
    `${CA_DIRECTORY}: no file in directory ${JSON.stringify(directory)} holds a certificate in PEM form.`,
  );
}

async function filesIn(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort();
  const paths = names.map((name) => join(directory, name));
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return paths.filter((_, index) => found[index]?.isFile() === true);
}

async function readPem(pem: VaultPem, what: string): Promise<string | Uint8Array> {
  return typeof pem === 'object' && 'file' in pem ? readBytes(pem.file, what) : pem;
}

async function readBytes(file: string, what: string): Promise<Buffer> {
  try {
    const found = await stat(file);
    // A device or a pipe may never end.
    if (!found.isFile()) throw Object.assign(new Error(), { code: found.isDirectory() ? 'EISDIR' : 'not a file' });
    if (found.size > MAX_FILE_BYTES) throw Object.assign(new Error(), { code: 'EFBIG' });
    return await readFile(file);
  } catch (error) {
    throw unreadable(what, 'file', file, error);
  }
}

function unreadable(what: string, kind: string, path: string, error: unknown): VaultInvalidOptionError {
  const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
  // The name is not repeated when it is what belongs in the file: that may be a private key.
  const shown = path.includes(PEM_TEXT) ? 'its name is PEM text' : JSON.stringify(path);
  return new VaultInvalidOptionError(`${what} names a ${kind} that cannot be read: ${shown} (${reason}).`, { reason });
}

/** Changes whenever one of the files does. */
async function stampOf({ ca, cert, key }: TlsOptions): Promise<string> {
  const paths: string[] = [];
  for (const pem of [ca, cert, key].flat() as (TlsOptions['ca'] | undefined)[]) {
    if (typeof pem !== 'object') continue;
    if ('file' in pem) paths.push(pem.file);
    else if ('directory' in pem) paths.push(pem.directory, ...(await filesIn(pem.directory).catch(() => [])));
  }
  const stamps = paths.map(async (path) => {
    const found = await stat(path).catch(() => undefined);
    return found ? `${path}:${found.ino}:${found.size}:${found.mtimeMs}` : `${path}:absent`;
  });
  return (await Promise.all(stamps)).join('\n');
}
