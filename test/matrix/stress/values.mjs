// What lies in the KV store at `secret/stress` (the spec seeds it) and what every consumer must see of it.
export const SECRETS = {
  STRESS_PASSWORD: 'stress-password-7f1c',
  STRESS_PORT: 2525,
  STRESS_FLAG: true,
  STRESS_LIST: ['one', 'two', 3],
  STRESS_TREE: { branch: { leaf: 'stress-leaf-90ab' }, empty: null },
};

/** Read by the second VaultModule of some graphs. */
export const SECOND_SECRETS = { SECOND_PASSWORD: 'second-password-2d4e' };

/** The namespace the same secret is mounted under a second time. */
export const NAMESPACE = 'stressed';

/** Names of `vaultConfig` namespaces over the same secret: one in `sources`, one that only `forFeature` asks for. */
export const LISTED = 'listed';
export const FEATURED = 'featured';

/** A variable of the environment and a loaded object that refer to the secret. */
export const REFERENCE = 'STRESS_REFERENCE';
export const LOADED = 'loaded';
const URL_OF = (password) => `db://app:${password}@127.0.0.1/app`;
const NOTATION = 'vault:secret/data/stress#STRESS_PASSWORD';
export const REFERRING = { variable: NOTATION, url: URL_OF(`\${${NOTATION}}`) };

/** Configuration path -> value. */
export const EXPECTED = Object.freeze({
  [`${FEATURED}.STRESS_PASSWORD`]: SECRETS.STRESS_PASSWORD,
  ...SECRETS,
  'STRESS_TREE.branch.leaf': SECRETS.STRESS_TREE.branch.leaf,
  [`${NAMESPACE}.STRESS_PASSWORD`]: SECRETS.STRESS_PASSWORD,
  [`${NAMESPACE}.STRESS_TREE.branch`]: SECRETS.STRESS_TREE.branch,
  [`${LISTED}.STRESS_PASSWORD`]: SECRETS.STRESS_PASSWORD,
  [REFERENCE]: SECRETS.STRESS_PASSWORD,
  [`${LOADED}.url`]: URL_OF(SECRETS.STRESS_PASSWORD),
  [`${LISTED}.STRESS_PORT`]: SECRETS.STRESS_PORT,
});
