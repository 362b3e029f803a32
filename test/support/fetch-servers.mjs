// Jest's `globalSetup`: fetches the servers that the tests start, where no time limit of a test counts. On a new machine
// that takes as long as its network does. What goes wrong here is told by the first test that needs a server.
import { tsImport } from 'tsx/esm/api';

/** The default, and the one that some tests ask for. */
const VERSIONS = [undefined, '2.7.2'];

export default async function fetchServers() {
  const { findServerBinary } = await tsImport('../../lib/server/find-binary.ts', import.meta.url);
  for (const version of VERSIONS) await findServerBinary({ version }).catch(() => undefined);
}
