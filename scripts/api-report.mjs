// The public surface as text, from the bundled declarations: one report for each entry point, in `api/`. `npm run api`
// writes the reports; test/unit/build.spec.ts compares them, so that every change of the surface is part of a diff.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Report of an entry point, and its declarations. */
export const REPORTS = {
  'api/index.api.md': 'dist/esm/index.d.ts',
  'api/testing.api.md': 'dist/esm/testing/index.d.ts',
};

/** Declarations by name, without comments; those that can be imported carry `export`. */
export function apiReport(entry) {
  const exported = new Set();
  const declarations = declarationsIn(join(ROOT, entry), exported);
  const lines = declarations
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, text]) => `${exported.has(name) ? 'export ' : ''}${text}`);
  return [`# ${entry.replace('dist/esm/', '')}`, '', '```ts', lines.join('\n\n'), '```', ''].join('\n');
}

function declarationsIn(file, exported) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const printer = ts.createPrinter({ removeComments: true });
  return source.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      for (const { name, propertyName } of statement.exportClause.elements) exported.add((propertyName ?? name).text);
      return [];
    }
    if (ts.isImportDeclaration(statement)) {
      const from = statement.moduleSpecifier.text;
      return from.startsWith('.') ? declarationsIn(join(dirname(file), from.replace(/\.js$/, '.d.ts')), new Set()) : [];
    }
    const name = (statement.name ?? statement.declarationList?.declarations[0].name)?.text;
    const text = printer.printNode(ts.EmitHint.Unspecified, statement, source).replace(/^declare /, '');
    return name ? [[name, text]] : [];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [report, entry] of Object.entries(REPORTS)) writeFileSync(join(ROOT, report), apiReport(entry));
}
