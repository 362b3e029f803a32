// Jest's `globalSetup`: fetches the servers that the tests start, where no time limit of a test counts. On a new machine
// that takes as long as its network does. What goes wrong here is told by the first test that needs a server.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const BUILT = fileURLToPath(new URL('../../dist/cjs/testing/binary/find-server-binary.js', import.meta.url));
/** The default, and the one that some tests ask for. */
const VERSIONS = [undefined, '2.7.2'];

export default async function fetchServers() {
  if (!existsSync(BUILT)) return;
  const { findServerBinary } = createRequire(import.meta.url)(BUILT);
  for (const version of VERSIONS) await findServerBinary({ version }).catch(() => undefined);
}
