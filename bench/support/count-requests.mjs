import { subscribe } from 'node:diagnostics_channel';
import http2 from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';

/** Counts the requests this process sends, whoever sends them: undici, node:http(s), streams of HTTP/2. */
export function countRequests() {
  let requests = 0;
  const count = () => void (requests += 1);
  // undici's HTTP/2 goes over node:http2, where it is counted, as ours is.
  subscribe('undici:client:sendHeaders', ({ socket }) => socket?.alpnProtocol === 'h2' || count());
  subscribe('http.client.request.start', count);
  const { connect } = http2;
  http2.connect = (...args) => {
    const session = connect(...args);
    const { request } = session;
    session.request = (...given) => {
      count();
      return request.apply(session, given);
    };
    return session;
  };
  syncBuiltinESMExports();
  return {
    /** Requests sent since the last call. */
    take() {
      const sent = requests;
      requests = 0;
      return sent;
    },
  };
}
