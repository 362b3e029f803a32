import { describe, expect, it } from '@jest/globals';
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { describeIssues } from '../../lib/config/assembly/validate.js';
import type { StandardSchema } from '../../lib/config/standard-schema.js';

const VALUES = { pin: '123', ratio: 0.25, port: 77, tls: true, mode: 'xyz', list: [9, 4321], longer: 'hunter2hunter2' };

async function issuesOf(schema: StandardSchema<unknown, unknown>): Promise<string> {
  const { issues = [] } = await schema['~standard'].validate(VALUES);
  return describeIssues(issues, ['db'], VALUES);
}

describe('what does not fit a schema', () => {
  it.each<[string, StandardSchema<unknown, unknown>]>([
    ['numbers', type({ port: '78|79', ratio: '1|2' })],
    ['texts of digits', type({ pin: "'0000'|'1111'" })],
    ['short texts', type({ mode: "'a'|'b'" })],
    ['truths', type({ tls: "false|'no'" })],
    ['inside', type({ list: "'a'|'b'", longer: "'a'|'b'" })],
    ['valibot', v.object({ port: v.picklist([78, 79]), pin: v.literal('0000'), tls: v.literal(false) })],
    ['zod', z.object({ port: z.literal([78, 79]), pin: z.literal('0000'), tls: z.literal(false) })],
  ])('is told without its value: %s', async (_, schema) => {
    const text = await issuesOf(schema);
    expect(text).toMatch(/"db\.\w+" \w/);
    expect(text).not.toMatch(/\b(77|0\.25|123|true|xyz|9|4321|hunter2hunter2)\b/);
  });

  it('names the keys that are not allowed, and what is', async () => {
    const strict = z.strictObject({ pin: z.enum(['low', 'high']), port: z.number().multipleOf(10) });
    expect(await issuesOf(strict)).toBe(
      '"db.pin" invalid_value, values low, high; "db.port" not_multiple_of, divisor 10; "db" unrecognized_keys, keys ratio, tls, mode, list, longer',
    );
    expect(await issuesOf(z.object({ mode: z.string().startsWith('ab') }))).toBe(
      '"db.mode" invalid_format, format starts_with, prefix ab',
    );
    expect(await issuesOf(z.object({ port: z.literal([78, 79]), pin: z.literal('0000') }))).toBe(
      '"db.port" invalid_value, values 78, 79; "db.pin" invalid_value, values 0000',
    );
  });

  it('tells what is missing from what is refused where the validator names no rule, as Joi does', () => {
    const issues = [['pin'], ['nothing'], ['list', 0], ['list', 7], ['nothing', 'below']].map((path) => ({
      message: 'hunter2',
      path,
    }));
    expect(describeIssues(issues, ['db'], VALUES)).toBe(
      '"db.pin" is refused; "db.nothing" is missing; "db.list.0" is refused; "db.list.7" is missing; "db.nothing.below" is missing',
    );
    expect(describeIssues([{ message: 'hunter2' }], ['db'], VALUES)).toBe('"db" is refused');
  });

  it('tells what each way of a union asks for', async () => {
    expect(await issuesOf(z.object({ port: z.union([z.literal('0'), z.string().array()]) }))).toBe(
      '"db.port" invalid_union, either invalid_value, values 0 or invalid_type, expected array',
    );
  });

  it('tells of the first of many', async () => {
    const values = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`key${index}`, `text-${index}`]));
    for (const schema of [z.record(z.string(), z.number()), z.strictObject({})]) {
      const { issues = [] } = await schema['~standard'].validate(values);
      const text = describeIssues(issues, [], values);
      expect(text).toContain('key19');
      expect(text).not.toContain('key20');
      expect(text).toMatch(/and 880 more$/);
    }
  });

  it('keeps a list of rules short', async () => {
    const many = z.object({ mode: z.enum(Array.from({ length: 500 }, (_, index) => `choice-${index}`)) });
    expect((await issuesOf(many)).length).toBeLessThan(600);
  });
});

describe('a text that a schema takes apart', () => {
  const RAW = {
    API_KEYS: 'sk_live_CANARYone:5,sk_live_CANARYtwo:x',
    nested: { API_KEYS: '{"sk_live_CANARYthree":true}' },
  };
  it.each([
    ['in a path', [{ message: '', code: 'invalid_type', expected: 'number', path: ['API_KEYS', 'sk_live_CANARYtwo'] }]],
    ['in a path of objects', [{ message: '', path: [{ key: 'nested' }, { key: 'API_KEYS' }, { key: 'sk_live_CANARYthree' }, { key: 'CANARY' }] }]],
    ['of the whole', [{ message: '', path: ['sk_live_CANARYone', 'deeper'] }]],
    ['in keys', [{ message: '', code: 'unrecognized_keys', keys: ['sk_live_CANARYone', 'sk_live_CANARYtwo'], path: ['API_KEYS'] }]],
    ['in a rule', [{ message: '', code: 'custom', expected: 'sk_live_CANARYtwo', path: ['API_KEYS'] }]],
    ['in values', [{ message: '', values: ['sk_live_CANARYtwo'], path: ['API_KEYS'] }]],
  ])('leaves none of its pieces %s', (_, issues) => {
    const text = describeIssues(issues, ['app'], RAW);
    expect(text).not.toContain('CANARY');
    expect(text).toMatch(/^"app\./);
  }); // prettier-ignore

  it('still tells keys that are there, and those that are missing', () => {
    const issues = [
      { message: '', code: 'unrecognized_keys', keys: ['API_KEYS'], path: [] },
      { message: '', code: 'invalid_type', path: ['PORT'] },
      { message: '', path: ['nested', 'HOST'] },
    ];
    expect(describeIssues(issues, [], RAW)).toBe(
      '"the whole" unrecognized_keys, keys API_KEYS; "PORT" invalid_type; "nested.HOST" is missing',
    );
  });

  it('has its name printed without control and formatting characters', () => {
    const values = { 'evil\u001b[2J\u009b\u202e\u0007': 'x' };
    expect(describeIssues([{ message: '', path: Object.keys(values) }], [], values)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
