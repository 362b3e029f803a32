import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createCertificates } from '../../lib/testing/index.js';

/** What Kubernetes' API server answers about a service account token. */
export interface TokenReview {
  readonly authenticated: boolean;
  readonly user?: { readonly username: string; readonly uid: string };
  readonly audiences?: readonly string[];
  readonly error?: string;
}

/** The one endpoint of Kubernetes that Vault's auth method `kubernetes` asks. */
export interface TokenReviewServer {
  readonly endpoint: string;
  /** Certificate authority of the endpoint. */
  readonly ca: string;
  /** Tokens that were to be reviewed. */
  readonly reviewed: string[];
  /** What it answers from now on; a number is a status. */
  review: (token: string, audiences: readonly string[]) => TokenReview | number;
  close(): Promise<void>;
}

export async function startTokenReviewServer(): Promise<TokenReviewServer> {
  const { ca, cert, key } = await createCertificates();
  const server = createServer({ cert, key }, (request, response) => {
    void json(request).then((body) => {
      const { token, audiences = [] } = (body as { spec: { token: string; audiences?: string[] } }).spec;
      front.reviewed.push(token);
      const status =
        request.url === '/apis/authentication.k8s.io/v1/tokenreviews' ? front.review(token, audiences) : 404;
      const answer =
        typeof status === 'number'
          ? { kind: 'Status', status: 'Failure', code: status }
          : { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status };
      response
        .writeHead(typeof status === 'number' ? status : 201, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: TokenReviewServer = {
    endpoint: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    reviewed: [],
    review: () => 500,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return front;
}
