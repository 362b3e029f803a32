import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import layers from './scripts/eslint-layers.mjs';

export default tseslint.config(
  { ignores: ['**/dist', 'coverage', 'node_modules', '**/node_modules', '.cache', 'test/consumers/*/**'] },
  js.configs.recommended,
  {
    files: ['lib/**/*.ts', 'test/**/*.ts', 'sample-app/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  { files: ['lib/**/*.ts'], plugins: { layers }, rules: { 'layers/direction': 'error' } },
  {
    // Nest reads constructor parameter types at run time, so test and sample code import them as values.
    files: ['test/**/*.ts', 'sample-app/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    // The path of a request: a copy of an object with optional fields costs more than all of node-vault (docs/adr/0044).
    // Errors are made by functions outside the classes.
    files: [
      ...['attempt', 'call', 'exchange', 'prepare-request', 'request-pipeline', 'vault-client'].map(
        (name) => `lib/client/${name}.ts`,
      ),
      ...['connections', 'http2-call'].map((name) => `lib/client/connections/${name}.ts`),
      'lib/engines/*.ts',
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: ':matches(MethodDefinition, PropertyDefinition) ObjectExpression > SpreadElement',
          message: 'No object spread on the path of a request: write one literal with all fields.',
        },
        {
          selector: ':matches(MethodDefinition, PropertyDefinition) ObjectPattern > RestElement',
          message: 'No copy of the remaining fields on the path of a request: name the fields.',
        },
        {
          selector:
            'FunctionDeclaration[id.name=/^(readResponse|prepareRequest|setToken|setHeader|copyHeaders|headersOf|callOptions|parseSecret|parseVersion|toSecret|listKeys)$/] :matches(ObjectExpression > SpreadElement, ObjectPattern > RestElement)',
          message: 'No object spread on the path of a request: write one literal with all fields.',
        },
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        setImmediate: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        require: 'readonly',
        module: 'writable',
        exports: 'writable',
        __dirname: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
      },
    },
  },
);
