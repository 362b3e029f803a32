import { Inject } from '@nestjs/common';
import { VaultService } from './vault.service.js';

/** Injection token of the service of a `VaultModule`: the class itself, unless the module has a name. @publicApi */
export function getVaultToken(name?: string): typeof VaultService | string {
  return name === undefined ? VaultService : `nestjs-vault:service:${name}`;
}

/** Injects the `VaultService` of the module with this name. @publicApi */
export function InjectVault(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getVaultToken(name));
}
