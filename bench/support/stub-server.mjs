// Forked by the read bench: a server in a process of its own that sends two fixed responses, so that the CPU time of the
// bench is that of the client alone. It ends with its parent.
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(import.meta.url);

/** @param secret what every path below `secret/data/` holds */
export async function startStubServer(secret) {
  const child = fork(file, [JSON.stringify(secret)]);
  const { port } = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', () => reject(new Error('The stub server did not start.')));
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    rootToken: 'stub-token',
    version: 'stub server',
    stop: () => child.kill() && new Promise((resolve) => child.once('exit', resolve)),
  };
}

if (process.argv[1] === file) serve(JSON.parse(process.argv[2]));

function serve(secret) {
  const response = (data) =>
    JSON.stringify({
      request_id: '7a9c1a2e-4a76-4a55-9f0e-1d3b0b0c9c11',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data,
      wrap_info: null,
      warnings: null,
      auth: null,
    });
  const metadata = { version: 1, created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };
  const read = response({ data: secret, metadata: { ...metadata, custom_metadata: null } });
  const token = response({ id: 'stub-token', ttl: 0, policies: ['root'], renewable: false, accessor: 'stub' });
  const server = createServer((request, reply) => {
    const body = request.url.startsWith('/v1/auth/token/') ? token : read;
    reply.writeHead(200, {
      'cache-control': 'no-store',
      'content-type': 'application/json',
      'content-length': body.length,
    });
    reply.end(body);
  });
  server.keepAliveTimeout = 0;
  process.once('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}
