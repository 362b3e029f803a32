import { VaultInvalidOptionError } from '../../errors/index.js';
import type { VaultConfigChange } from './changes.js';

const LISTENER = Symbol.for('nestjs-vault.on-vault-change');

/** What a method listens to. @internal */
export interface ChangeListener {
  /** Key, namespace or other container; `undefined` for every change. */
  readonly key: string | undefined;
  readonly vault: string | undefined;
}

/**
 * Calls the method after the configuration has changed, with a `VaultConfigChange`. The new values are in place by then;
 * what the method throws is logged and stops nothing.
 *
 * @param key a key such as `database.password`, or all below `database`; left out, every change. A part of a value changes
 *   with the whole
 * @param options `vault`: name of the `VaultModule`, when it has one
 * @throws VaultInvalidOptionError on anything but a method, which is never called, such as a static one
 * @publicApi
 */
export function OnVaultChange(key?: string, options: { readonly vault?: string } = {}): MethodDecorator {
  return (target, name, descriptor) => {
    if (typeof target === 'function' || typeof descriptor?.value !== 'function') {
      throw new VaultInvalidOptionError(
        `@OnVaultChange() cannot be used on "${String(name)}": it is for methods, and not for static ones.`,
      );
    }
    const method = descriptor.value as unknown as { [LISTENER]?: ChangeListener[] };
    method[LISTENER] = [...(method[LISTENER] ?? []), { key, vault: options.vault }];
  };
}

/** What a method listens to with `OnVaultChange`. @internal */
export function listenersOf(method: unknown): readonly ChangeListener[] {
  return typeof method === 'function' ? ((method as { [LISTENER]?: ChangeListener[] })[LISTENER] ?? []) : [];
}

/** @internal */
export function concerns({ key }: ChangeListener, { keys }: VaultConfigChange): boolean {
  // One way for what is below a container, the other for a part of a value.
  return (
    key === undefined || keys.some((changed) => `${changed}.`.startsWith(`${key}.`) || key.startsWith(`${changed}.`))
  );
}
