import { describe, expect, it } from '@jest/globals';
import type { VaultClient } from '../../lib/client/vault-client.js';
import type { VaultRequest } from '../../lib/client/vault-request.js';
import { readSecrets } from '../../lib/config/sources/read-secrets.js';
import { VaultServerError } from '../../lib/errors/index.js';

function recording(answer: (request: VaultRequest) => unknown): { client: VaultClient; requests: VaultRequest[] } {
  const requests: VaultRequest[] = [];
  const request = (made: VaultRequest) => {
    requests.push(made);
    return Promise.resolve().then(() => answer(made));
  };
  return { client: { request } as unknown as VaultClient, requests };
}

const secret = { body: { data: { data: { A: 1 }, metadata: { version: 1, created_time: 't', deletion_time: '' } } } };

describe('readSecrets', () => {
  it('reads an address once, however often it is named', async () => {
    const { client, requests } = recording(() => secret);
    const address = { mountPath: 'secret', secretPath: 'a' };
    const reads = await readSecrets(client, [address, { ...address }, { ...address, version: 1 }, address]);
    expect(requests).toHaveLength(2);
    expect(reads.size).toBe(2);
  });

  it('gives failures of Vault as results, and throws what is none', async () => {
    const failing = recording(() => {
      throw new VaultServerError('no');
    });
    const address = { mountPath: 'secret', secretPath: 'a' };
    const read = (await readSecrets(failing.client, [address])).get(address);
    expect(read?.error).toBeInstanceOf(VaultServerError);
    const broken = recording(() => {
      throw new TypeError('a defect');
    });
    await expect(readSecrets(broken.client, [{ mountPath: 'secret', secretPath: 'a' }])).rejects.toThrow('a defect');
  });
});
