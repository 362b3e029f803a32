import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  isVaultError,
  VaultAuthenticationError,
  VaultConfigurationError,
  VaultDeletedVersionError,
  VaultDisabledError,
  VaultNotFoundError,
  VaultPermissionError,
  VaultRateLimitedError,
} from '../../lib/errors/index.js';
import type { VaultAdvice } from '../../lib/index.js';

const WRITE: VaultAdvice = { id: 'write-secret', text: 'Write it.' };
const CHECK: VaultAdvice = { id: 'check-path', text: 'Check the path.' };
const PLACE = {
  operation: 'read secret "app"',
  path: 'secret/data/app',
  mountPath: 'secret',
  namespace: 'team',
  endpoint: 'http://127.0.0.1:8200',
  statusCode: 404,
  reason: 'some-reason',
};

describe('an error', () => {
  it('renders its problem, then its advice', () => {
    const error = new VaultNotFoundError('Cannot read it.', { ...PLACE, advice: [WRITE, CHECK] });
    expect(error.message).toBe('Cannot read it. Write it. Check the path.');
    expect(error).toMatchObject({ ...PLACE, code: 'VAULT_NOT_FOUND', advice: ['write-secret', 'check-path'] });
  });

  it('has no advice and no server errors when it was given none', () => {
    const error = new VaultNotFoundError('Cannot read it.');
    expect(Object.keys(error)).not.toContain('advice');
    expect(error.serverErrors).toEqual([]);
  });

  it('keeps the server errors out of what is printed', () => {
    const error = new VaultNotFoundError('Cannot read it.', { serverErrors: ['the server said so'] });
    expect(error.serverErrors).toEqual(['the server said so']);
    expect(inspect(error, { showHidden: true })).not.toContain('the server said so');
    expect(JSON.stringify(error)).not.toContain('the server said so');
  });

  it('takes no field that it does not know', () => {
    const parts = { ...PLACE, token: 's.secret', headers: { 'x-vault-token': 's.secret' } };
    expect(inspect(new VaultNotFoundError('Cannot read it.', parts), { showHidden: true })).not.toContain('s.secret');
  });

  it('cannot be changed through its lists', () => {
    const serverErrors = ['one'];
    const error = new VaultNotFoundError('Cannot read it.', { serverErrors, advice: [WRITE] });
    serverErrors.push('two');
    expect(error.serverErrors).toEqual(['one']);
    expect(() => (error.advice as string[]).push('x')).toThrow(TypeError);
    expect(() => (error.serverErrors as string[]).push('x')).toThrow(TypeError);
  });

  it('has its own name, also where a bundler renames the class', () => {
    expect(new VaultDisabledError('Disabled.').name).toBe('VaultDisabledError');
    expect(Object.hasOwn(VaultDisabledError, 'name')).toBe(true);
  });
});

describe('withAdvice', () => {
  it('adds advice to a new error of the same class, with the same fields and frames', () => {
    const error = new VaultDeletedVersionError('It was deleted.', {
      ...PLACE,
      destroyed: true,
      version: 3,
      deletionTime: '2026-01-01T00:00:00Z',
      serverErrors: ['deleted'],
      advice: [WRITE],
    });
    const added = error.withAdvice(CHECK);
    expect(added).toBeInstanceOf(VaultDeletedVersionError);
    expect(added).not.toBe(error);
    expect(isVaultError(added)).toBe(true);
    expect(added.message).toBe('It was deleted. Write it. Check the path.');
    expect({ ...added }).toEqual({ ...error, advice: ['write-secret', 'check-path'] });
    expect(added.serverErrors).toEqual(['deleted']);
    expect(framesOf(added)).toBe(framesOf(error));
    expect(added.stack).toContain('It was deleted. Write it. Check the path.');
    expect(error.message).toBe('It was deleted. Write it.');
  });

  it('replaces advice that has the same id', () => {
    const error = new VaultRateLimitedError('Too many.', { retryAfterMs: 5, advice: [WRITE, CHECK] });
    const changed = error.withAdvice({ id: 'write-secret', text: 'Write it with "bao kv put".' });
    expect(changed.message).toBe('Too many. Check the path. Write it with "bao kv put".');
    expect(changed).toMatchObject({ retryAfterMs: 5, advice: ['check-path', 'write-secret'] });
  });

  it('puts the advice before the list of a configuration error', () => {
    const errors = [new VaultNotFoundError('No secret "a".'), new VaultRateLimitedError('Too many.')];
    const error = new VaultConfigurationError('2 problems:', errors).withAdvice(CHECK);
    expect(error.message).toBe('Check the path.\n2 problems:\n  1. No secret "a".\n  2. Too many.');
    expect(error.errors).toEqual(errors);
    expect(error.advice).toEqual(['check-path']);
  });
});

describe('as', () => {
  it('makes an error of another class with the other parts kept', () => {
    const error = new VaultPermissionError('Denied.', {
      ...PLACE,
      policyDenied: true,
      serverErrors: ['permission denied'],
      advice: [WRITE],
    });
    const refused = error.as(VaultAuthenticationError, { reason: 'role', advice: [CHECK] });
    expect(refused).toBeInstanceOf(VaultAuthenticationError);
    expect(refused.message).toBe('Denied. Check the path.');
    expect({ ...refused }).toEqual({ ...PLACE, code: 'VAULT_AUTHENTICATION', reason: 'role', advice: ['check-path'] });
    expect(refused.serverErrors).toEqual(['permission denied']);
    expect(framesOf(refused)).toBe(framesOf(error));
  });

  it('replaces the problem', () => {
    const error = new VaultNotFoundError('Status 404.', { nothingStored: false, advice: [CHECK] });
    const changed = error.as(VaultNotFoundError, { problem: 'There is no such mount.' });
    expect(changed.message).toBe('There is no such mount. Check the path.');
    expect(changed.nothingStored).toBe(false);
  });
});

function framesOf({ stack = '' }: Error): string {
  return stack.slice(stack.indexOf('\n    at '));
}
