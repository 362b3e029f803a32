// Finds words that the glossary of the project replaces, in lib/, in the guides and in the names of tests. Prints each
// finding with the word to use, and a count of each word. Exit code 1 when there is one.
import { readdirSync, readFileSync } from 'node:fs';

/** Each word is matched as a whole word, also inside camelCase names. */
const RULES = [
  ['answers?|answered|answering', 'response, respond'],
  ['repetitions?', 'retry'],
  ['given up|gives? up|gave up', 'aborted'],
  ['whoever|whatever|nobody|somebody', 'name the subject'],
  ['behind', 'after'],
  ['belongs? into', 'belong in'],
  ['(?<!there )is no', 'is not a'],
  ['for ever', 'forever'],
  ['misspelt', 'misspelled'],
  ['borrow(?:s|ed|ing)?|lend(?:s|er|ing)?|lent|loans?', 'acquire, release'],
  ['retire[ds]?|declare dead', 'revoke, invalidate, replace'],
  ['in trouble', 'degraded'],
  ['namesakes?', 'duplicates, conflicts'],
  ['obstacles?', 'diagnostics'],
  ['strikes?', 'failures'],
  ['rooms?', 'layer'],
  ['hopeless|ailments?|ails?', 'unusable, last error'],
  ['tells? of', 'reports'],
  ['nothing there|holds nothing|without a word|by itself', 'not found, empty, silently, alone'],
  ['(?:LONGEST|SHORTEST|MOST|LEAST|LARGEST|HIGHEST|DEEPEST)_', 'MAX_, MIN_'],
].map(([words, advice]) => ({ pattern: new RegExp(`(?<![A-Za-z])(?:${words})(?![a-z])`, 'gi'), words, advice }));

/** What a line may say all the same. */
const ALLOWED = [
  // Commands and parts of protocols.
  /give up --/,
];

const names = /\b(?:describe|it|test)(?:\.\w+)*(?:\([^'"`]*\))?\(\s*(['"`])(.*?)\1/g;
const read = (file) => readFileSync(file, 'utf8');
const files = [
  ...under('lib', '.ts').map((file) => ({ file, text: read(file) })),
  ...[...under('docs', '.md'), 'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].map((file) => ({
    file,
    text: read(file),
  })),
  ...under('test', '.spec.ts').map((file) => ({ file, text: onlyNames(read(file)) })),
];

function under(folder, ending) {
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(ending) && !file.includes('node_modules'))
    .map((file) => `${folder}/${file}`);
}

/** Only the names of tests: everything else becomes spaces, so that the numbers of lines stay. */
function onlyNames(text) {
  const kept = text.replace(/[^\n]/g, ' ').split('');
  for (const match of text.matchAll(names)) {
    const start = match.index + match[0].length - match[2].length - 1;
    for (let index = 0; index < match[2].length; index += 1) kept[start + index] = match[2][index];
  }
  return kept.join('');
}

const counts = new Map();
for (const { file, text } of files) {
  for (const [index, line] of text.split('\n').entries()) {
    if (ALLOWED.some((allowed) => allowed.test(line))) continue;
    for (const { pattern, words, advice } of RULES) {
      for (const [found] of line.matchAll(pattern)) {
        counts.set(words, (counts.get(words) ?? 0) + 1);
        console.log(`${file}:${index + 1}: "${found}": ${advice}`);
      }
    }
  }
}
const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
for (const [words, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${count} x ${words}`);
console.log(`${total} findings in ${files.length} files`);
process.exitCode = total > 0 ? 1 : 0;
