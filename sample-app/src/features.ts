import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';

interface FeatureBlock {
  readonly checkout: { readonly express: boolean; readonly maxItems: number };
  readonly regions: readonly string[];
}

/** The feature switches. Knows nothing of Vault. */
@Injectable()
export class Features {
  readonly #features: FeatureBlock;

  constructor(config: ConfigService) {
    this.#features = config.getOrThrow<FeatureBlock>('features');
  }

  expressCheckout(region: string): boolean {
    return this.#features.checkout.express && this.#features.regions.includes(region);
  }
}
