// The lint rule `layers/direction`: a layer imports only layers above it in lib/layers.json.
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIB = fileURLToPath(new URL('../lib', import.meta.url));
const LAYERS = JSON.parse(readFileSync(`${LIB}/layers.json`, 'utf8')).map(({ folder }) => folder);
/** Files directly in lib/ stand on all layers; these may use what they declare. */
const ABOVE_PUBLIC_FACE = LAYERS.slice(LAYERS.indexOf('boot'));

/** Folder of a file below lib/; '' for lib/ itself. */
function layerOf(file) {
  const [folder, ...rest] = relative(LIB, file).split(sep);
  return rest.length > 0 ? folder : '';
}

const direction = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      unknown: 'lib/layers.json does not list the folder "{{from}}".',
      direction: 'Layer "{{from}}" must not import "{{to}}": lib/layers.json has the order.',
    },
  },
  create(context) {
    const from = layerOf(context.filename);
    const check = ({ source }) => {
      if (source?.type !== 'Literal' || !String(source.value).startsWith('.')) return;
      const to = layerOf(resolve(dirname(context.filename), source.value));
      const allowed = to === '' ? ABOVE_PUBLIC_FACE.includes(from) : LAYERS.slice(0, LAYERS.indexOf(from)).includes(to);
      if (from !== '' && to !== from && !allowed) {
        context.report({ node: source, messageId: 'direction', data: { from, to: to || 'lib' } });
      }
    };
    return {
      Program(node) {
        if (from !== '' && !LAYERS.includes(from)) context.report({ node, messageId: 'unknown', data: { from } });
      },
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};

export default { rules: { direction } };
