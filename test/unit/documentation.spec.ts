import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GUIDES = ['README.md', ...readdirSync(join(ROOT, 'docs')).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`)]; // prettier-ignore
/** Of other packages, which the project itself has no use for. */
const NOT_INSTALLED = ['@aws-sdk/credential-providers', '@azure/identity', 'google-auth-library', 'kerberos'];

/** As in a strict Nest project, with this package's sources in the place of the package. */
const OPTIONS = {
  target: 'ES2022',
  lib: ['ES2023'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
  paths: { 'nestjs-vault': ['./lib/index.ts'], 'nestjs-vault/testing': ['./lib/testing/index.ts'] },
};

/** What Jest puts into every test file. */
const JEST_GLOBALS = `import type * as jest from '@jest/globals';
declare global {
  ${['beforeAll', 'afterAll', 'it', 'expect'].map((name) => `const ${name}: typeof jest.${name};`).join(' ')}
}`;

interface Example {
  readonly name: string;
  readonly file: string;
  readonly code: string;
}

/** The examples of a guide that can stand alone: those that import what they use. A file name on the first line is theirs. */
function examplesIn(guide: string): Example[] {
  const blocks = [...readFileSync(join(ROOT, guide), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)];
  return blocks.flatMap(([, code = ''], index) => {
    const packages = [...code.matchAll(/^import .* from '([^']+)'/gm)].map(([, name = '']) => name);
    if (packages.length === 0 || packages.some((name) => NOT_INSTALLED.includes(name))) return [];
    const [, named = `example-${index + 1}.ts`] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? [];
    return [{ name: `${guide} ${index + 1}`, file: join(ROOT, '.examples', guide, named), code }];
  });
}

const examples = GUIDES.flatMap(examplesIn);
let problems: Map<string, string[]>;

beforeAll(() => {
  const files = new Map(examples.map(({ file, code }) => [file, code]));
  files.set(join(ROOT, '.examples/jest.d.ts'), JEST_GLOBALS);
  // One guide builds on what another has declared.
  const database = examples.find(({ file }) => file.endsWith('database.config.ts'));
  for (const { file } of examples) files.set(join(dirname(file), 'database.config.ts'), database?.code ?? '');
  const folders = new Set(examples.map(({ file }) => dirname(file)));
  const { options } = ts.convertCompilerOptionsFromJson(OPTIONS, ROOT);
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path) ?? disk.readFile(path),
    directoryExists: (path) => folders.has(path) || ts.sys.directoryExists(path),
    getSourceFile: (path, version, ...rest) => {
      const code = files.get(path);
      return code === undefined ? disk.getSourceFile(path, version, ...rest) : ts.createSourceFile(path, code, version);
    },
  };
  const program = ts.createProgram([...files.keys()], options, host);
  problems = new Map(
    examples.map(({ name, file }) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
    }),
  );
}, 60_000);

describe('examples in the documentation', () => {
  it('are found', () => expect(examples.length).toBeGreaterThan(8));

  it.each(examples.map(({ name }) => name))('%s compiles as it stands', (name) => {
    expect(problems.get(name)).toEqual([]);
  });
});

describe('links in the documentation', () => {
  const packaged = [...GUIDES, 'CHANGELOG.md', 'LICENSE'];
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const anchorOf = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\d\s_-]/gu, '')
      .replaceAll(' ', '-');

  it.each([...GUIDES, 'CHANGELOG.md'])('of %s lead to a heading of a file in the package', (guide) => {
    const links = [...read(guide).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      if (link.startsWith('https://')) return false;
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? guide : join(dirname(guide), path);
      if (!packaged.includes(file)) return true;
      const headings = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
      return anchor !== undefined && !headings.includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});
