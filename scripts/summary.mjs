// Adds up Jest results: lists what failed, prints "N passed, N failed", and fails when something failed or nothing ran.
import { readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const LINES_OF_A_FAILURE = 12;

const total = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  const result = JSON.parse(readFileSync(file, 'utf8'));
  total.passed += result.numPassedTests;
  // A file that does not even load has no failed test of its own.
  total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  total.skipped += result.numPendingTests;
  for (const { name, message, assertionResults } of result.testResults) {
    const where = `${basename(file, '.json')}: ${relative(process.cwd(), name)}`;
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    for (const { fullName, failureMessages } of failed) report(`${where}: ${fullName}`, failureMessages.join('\n'));
    if (assertionResults.length === 0 && message) report(where, message);
  }
}
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

function report(what, why) {
  const lines = stripVTControlCharacters(why).split('\n').slice(0, LINES_OF_A_FAILURE);
  console.log([`FAILED ${what}`, ...lines.map((line) => `  ${line}`)].join('\n'));
}
