import { setTimeout as delay } from 'node:timers/promises';
import { VaultModule, VaultService } from '../../lib/index.js';
import { startVaultServer } from '../../lib/testing/index.js';
import { bootApplication } from './boot-application.js';
import { forwardTo, startFaultServer } from './fault-server.js';
import { SteadyReads } from './steady-reads.js';

const READS_PER_SECOND = 50;
// On a machine too busy for that many, reads would queue for longer than a token lives.
const MOST_AT_ONCE = 8;

/** What an application with short-lived tokens did. */
export interface ShortTokensOutcome {
  readonly reads: number;
  readonly failures: readonly unknown[];
  readonly longestMs: number;
  readonly logins: number;
  readonly renewals: number;
  /** Requests that were neither reads, logins nor renewals. */
  readonly others: readonly string[];
  /** States the session was seen in. */
  readonly states: ReadonlySet<string>;
}

/**
 * Runs an application whose tokens live so many seconds, on a real server, under constant reads. By chance, a
 * renewal may be due when a fifteenth of a life is left for it: on a machine that stops for longer, a login takes its place.
 *
 * @param user further settings of its user, such as `token_max_ttl`
 */
export async function runOnShortTokens(seconds: number, ttl: number, user: object = {}): Promise<ShortTokensOutcome> {
  const server = await startVaultServer();
  const front = await startFaultServer(forwardTo(server.endpoint));
  try {
    await server.seed({ 'secret/app': { PASSWORD: 'p' } });
    await server.request('PUT', 'sys/policies/acl/app', {
      policy: 'path "secret/data/app" { capabilities = ["read"] }',
    });
    await server.request('POST', 'sys/auth/userpass', { type: 'userpass' });
    await server.request('POST', 'auth/userpass/users/app', {
      password: 'pw-of-app',
      token_policies: ['app'],
      token_ttl: `${ttl}s`,
      ...user,
    });
    const app = await bootApplication(
      VaultModule.forRoot({
        endpoint: front.endpoint,
        auth: { method: 'userpass', username: 'app', password: 'pw-of-app' },
        config: { sources: ['app'] },
      }),
    );
    const vault = app.get(VaultService);
    const states = new Set<string>();
    const reads = new SteadyReads(
      () => {
        states.add(vault.session.state);
        return vault.kv().read('app');
      },
      READS_PER_SECOND,
      MOST_AT_ONCE,
    );
    await delay(seconds * 1000);
    await reads.stop();
    const urls = front.requests.map(({ url }) => url);
    await app.close();
    const ending = (end: string): number => urls.filter((url) => url.endsWith(end)).length;
    return {
      reads: reads.done,
      failures: reads.failures.map(({ error }) => error),
      longestMs: reads.longestMs,
      logins: ending('/login/app'),
      renewals: ending('/renew-self'),
      others: [...new Set(urls.filter((url) => !/\/(login\/app|renew-self|secret\/data\/app)$/.test(url)))],
      states,
    };
  } finally {
    await front.close();
    await server.stop();
  }
}
