import base from '../../jest.config.mjs';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/soak/*.soak.ts'],
  testTimeout: 300_000,
  // One after the other: they measure.
  maxWorkers: 1,
};
