import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const pagesIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder)).flatMap((file) => (file.endsWith('.md') ? [`${folder}/${file}`] : []));
/** Pages that are read: each block says who types it. */
const READ = ['README.md', ...pagesIn('docs')];
const GUIDES = [...READ, ...pagesIn('docs/reference')];
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

describe('blocks in the documentation', () => {
  const MARK = /\*\*\[(dev|ops)\]\*\*/;

  /** Blocks that somebody types whose paragraph before them does not say who. Output and diagrams are not typed. */
  function unmarkedIn(guide: string): string[] {
    const text = readFileSync(join(ROOT, guide), 'utf8').replace(/<!--[^]*?-->\n*/g, '');
    if (/All blocks on this page are \*\*\[(dev|ops)\]\*\*/.test(text)) return [];
    let marked = false;
    return text.split(/^```/m).flatMap((part, index) => {
      if (index % 2 === 0) {
        // Between two blocks: a block that follows another one directly is typed by the same person.
        const paragraph = part.trim().split('\n\n').at(-1) ?? '';
        if (paragraph !== '') marked = MARK.test(paragraph);
        return [];
      }
      const typed = !/^(text|mermaid|)\n(?!\$ )/.test(part);
      return typed && !marked ? [part] : [];
    });
  }

  it.each(READ)('of %s are marked with the person who types them', (guide) => {
    expect(unmarkedIn(guide)).toEqual([]);
  });
});

describe('the reference', () => {
  it('is generated from the docstrings as they are', () => {
    const { stderr } = spawnSync(process.execPath, ['scripts/docs-reference.mjs', '--check'], { cwd: ROOT, encoding: 'utf8' }); // prettier-ignore
    expect(stderr).toBe('');
  }, 60_000);
});

describe('links in the documentation', () => {
  const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
  const anchorOf = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\d\s_-]/gu, '')
      .replaceAll(' ', '-');

  it.each([...GUIDES, 'CHANGELOG.md', 'CONTRIBUTING.md', ...pagesIn('docs/adr')])(
    'of %s lead to a heading of a file in the repository',
    (guide) => {
      const links = [...read(guide).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
      const broken = links.filter((link) => {
        if (link.startsWith('https://')) return false;
        const [path = '', anchor] = link.split('#');
        const file = path === '' ? guide : join(dirname(guide), path);
        if (!existsSync(join(ROOT, file))) return true;
        if (anchor === undefined) return false;
        const headings = [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
        return !headings.includes(anchor);
      });
      expect(broken).toEqual([]);
    },
  );
});
