import { VaultInvalidOptionError } from '../errors/index.js';

/**
 * The error for an optional dependency that is not installed. Keep the `import()` itself in a `try` block, by which bundlers
 * recognize an optional dependency.
 *
 * @param name package and major version, as in `npm install`
 * @param purpose what needs it, as the subject of a sentence
 * @param error what the import threw
 * @internal
 */
export function missingPackage(name: string, purpose: string, error: unknown): VaultInvalidOptionError {
  const { code } = error as { code?: unknown };
  const reason = typeof code === 'string' ? code : 'it failed while loading';
  return new VaultInvalidOptionError(
    `${purpose} needs the package "${name.replace(/(?<=.)@.*$/, '')}", which could not be loaded (${reason}). Install it: npm install ${name}`,
    { reason },
  );
}

/**
 * The exports of a CommonJS package that was loaded by `import()`. Node finds their names; a bundler that puts packages into
 * chunks of their own (esbuild with `--splitting`) has them in the default export only.
 *
 * @param name one of the exports
 * @internal
 */
export function interop<T extends object>(module: T, name: keyof T): T {
  return name in module ? module : (module as unknown as { readonly default: T }).default;
}
