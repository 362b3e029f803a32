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
