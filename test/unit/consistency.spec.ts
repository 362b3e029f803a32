import { afterEach, describe, expect, it } from '@jest/globals';
import type { VaultConsistency } from '../../lib/client/consistency.js';
import { Consistency } from '../../lib/client/consistency.js';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { FaultServer } from '../support/fault-server.js';
import * as fault from '../support/fault-server.js';
import { createClient } from '../support/vault-client.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const vault = (local: number, replicated: number, cluster = 'a'): string =>
  base64(`v1:${cluster}:${local}:${replicated}:0123456789abcdef`);
const openBao = (value: string, cluster = 'a'): string => base64(JSON.stringify({ cluster, value }));

describe('states', () => {
  const kept = (...headers: string[]): unknown => {
    const consistency = new Consistency('read-your-writes');
    for (const header of headers) consistency.record({ 'x-vault-index': header });
    return consistency.apply({})['x-vault-index'];
  };

  it.each([
    ['Vault: the newer one', [vault(1, 1), vault(2, 2)], [vault(2, 2)]],
    ['Vault: an older one changes nothing', [vault(2, 2), vault(1, 2)], [vault(2, 2)]],
    ['Vault: both when each is ahead in something', [vault(2, 1), vault(1, 2)], [vault(2, 1), vault(1, 2)]],
    ['Vault: one that is ahead in all replaces both', [vault(2, 1), vault(1, 2), vault(3, 3)], [vault(3, 3)]],
    ['Vault: never more than two', [vault(3, 1), vault(2, 2), vault(1, 3)], [vault(2, 2), vault(1, 3)]],
    ['Vault: another cluster starts anew', [vault(9, 9), vault(1, 1, 'b')], [vault(1, 1, 'b')]],
    ['OpenBao: the newer one, by number', [openBao('9'), openBao('10')], [openBao('10')]],
    ['OpenBao: an overtaken answer changes nothing', [openBao('10'), openBao('9')], [openBao('10')]],
    ['OpenBao: the latest where it is no number', [openBao('0/B'), openBao('0/A')], [openBao('0/A')]],
    ['OpenBao: another cluster starts anew', [openBao('9'), openBao('1', 'b')], [openBao('1', 'b')]],
    [
      'beyond what a number holds',
      [openBao('9007199254740993'), openBao('9007199254740992')],
      [openBao('9007199254740993')],
    ],
  ])('%s', (_, headers, expected) => {
    expect(kept(...headers)).toEqual(expected);
  });

  it.each([
    ...[
      '',
      'junk',
      '%%%',
      base64('v1:a:1'),
      base64('v2:a:1:1:00'),
      base64('null'),
      base64('[]'),
      base64('{"cluster":"a"}'),
    ],
    ...[base64('{"cluster":7,"value":"1"}'), openBao('1'.repeat(2000)), `${vault(1, 1)}, ${vault(2, 2)}`],
  ])('%s is not sent back', (header) => {
    expect(kept(header)).toBeUndefined();
    expect(kept(vault(1, 1), header)).toEqual([vault(1, 1)]);
  });
});

describe('calls', () => {
  let server: FaultServer;
  let client: VaultClient;
  afterEach(async () => {
    await client.close();
    await server.close();
  });

  const start = async (consistency: VaultConsistency | undefined, index: string): Promise<void> => {
    server = await fault.startFaultServer(fault.json(200, { data: {} }, { 'x-vault-index': index }));
    client = await createClient(server.endpoint, 'token', { consistency, retries: 1 });
  };
  const sent = (name: string): unknown => server.requests.at(-1)?.headers[name];
  const read = (): Promise<unknown> => client.request({ method: 'GET', path: 'secret/data/a' });

  it.each<[VaultConsistency | undefined, string, unknown, unknown]>([
    [undefined, vault(1, 1), undefined, undefined],
    ['off', openBao('1'), undefined, undefined],
    ['read-your-writes', vault(1, 1), vault(1, 1), undefined],
    ['forward', vault(1, 1), vault(1, 1), 'forward-active-node'],
    ['read-your-writes', openBao('1'), openBao('1'), 'await-state, forward-active-node'],
    ['forward', openBao('1'), openBao('1'), 'forward-active-node'],
  ])('%s with %s', async (mode, index, expectedIndex, expectedFallback) => {
    await start(mode, index);
    await read();
    expect([sent('x-vault-index'), sent('x-vault-inconsistent')]).toEqual([undefined, undefined]);
    await read();
    expect([sent('x-vault-index'), sent('x-vault-inconsistent')]).toEqual([expectedIndex, expectedFallback]);
  });

  it('a state a server does not have yet is asked for again; one it never gets to is forgotten', async () => {
    await start('read-your-writes', vault(5, 5));
    await read();
    const stale = fault.vaultError(412, ['required index state not present'], { 'retry-after': '0' });
    server.answerWith(fault.inTurn(stale, fault.json(200, { data: {} })));
    await read();
    expect(server.requests).toHaveLength(3);
    server.answerWith(stale);
    await expect(read()).rejects.toMatchObject({ statusCode: 412 });
    server.answerWith(fault.json(200, { data: {} }));
    await read();
    expect(sent('x-vault-index')).toBeUndefined();
  });
});
