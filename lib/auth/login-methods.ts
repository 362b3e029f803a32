import { unchecked, checkOptions } from '../options/check-options.js';
import { VaultInvalidOptionError } from '../errors/index.js';
import type { AppRoleAuth } from './methods/approle.auth.js';
import { approle } from './methods/approle.auth.js';
import type { AwsEc2Auth, AwsIamAuth } from './methods/aws.auth.js';
import { aws } from './methods/aws.auth.js';
import type { AzureAuth } from './methods/azure.auth.js';
import { azure } from './methods/azure.auth.js';
import type { CertAuth } from './methods/cert.auth.js';
import { cert } from './methods/cert.auth.js';
import type { CustomAuth } from './methods/custom.auth.js';
import { custom } from './methods/custom.auth.js';
import type { GcpGceAuth, GcpIamAuth } from './methods/gcp.auth.js';
import { gcp } from './methods/gcp.auth.js';
import type { GithubAuth } from './methods/github.auth.js';
import { github } from './methods/github.auth.js';
import type { JwtAuth } from './methods/jwt.auth.js';
import { jwt } from './methods/jwt.auth.js';
import type { KubernetesAuth } from './methods/kubernetes.auth.js';
import { kubernetes } from './methods/kubernetes.auth.js';
import type { LdapAuth, OktaAuth, RadiusAuth, UserpassAuth } from './methods/password.auth.js';
import { ldap, okta, radius, userpass } from './methods/password.auth.js';
import { variablesNamedIn } from './credential.js';
import type { LoginContext, LoginMethodDefinition, LoginMethod } from './login-method.js';
import type { NoneAuth } from './methods/none.auth.js';
import { none } from './methods/none.auth.js';
import type { OidcAuth } from './methods/oidc.auth.js';
import { oidc } from './methods/oidc.auth.js';
import type { TokenFileAuth } from './methods/token-file.auth.js';
import { tokenFile } from './methods/token-file.auth.js';
import type { TokenAuth } from './methods/token.auth.js';
import { token } from './methods/token.auth.js';

/**
 * How to log in, told apart by `method`.
 * @publicApi
 */
export type VaultAuth =
  | AppRoleAuth
  | AwsEc2Auth
  | AwsIamAuth
  | AzureAuth
  | CertAuth
  | CustomAuth
  | GcpGceAuth
  | GcpIamAuth
  | GithubAuth
  | JwtAuth
  | KubernetesAuth
  | LdapAuth
  | NoneAuth
  | OidcAuth
  | OktaAuth
  | RadiusAuth
  | TokenAuth
  | TokenFileAuth
  | UserpassAuth;

/** Every method there is. To add one: its file, a line in the type above and a line here. */
const LOGIN_METHODS: { readonly [M in VaultAuth['method']]: LoginMethodDefinition<Extract<VaultAuth, { method: M }>> } =
  {
    approle,
    aws,
    azure,
    cert,
    custom,
    gcp,
    github,
    jwt,
    kubernetes,
    ldap,
    none,
    oidc,
    okta,
    radius,
    token,
    'token-file': tokenFile,
    userpass,
  };

/** How long a login may take for which somebody may have to reach for a telephone. */
const INTERACTIVE_LOGIN_TIMEOUT_MS = 300_000;

/**
 * The login method for the `auth` option, checked.
 *
 * @throws VaultInvalidOptionError for a method that does not exist, and for options it does not take
 * @throws VaultInvalidPathError for a mount path that is none
 * @internal
 */
export function createLoginMethod(auth: VaultAuth, context: LoginContext = { tls: {} }): LoginMethod {
  const { method } = auth as { readonly method?: unknown };
  const kind = kindOf(method);
  if (!kind) throw unknownMethod(method);
  checkOptions(auth, { method: unchecked, ...kind.shape }, 'auth');
  const made = kind.create(withDefaults(kind, auth), context);
  const interactive = method === 'okta' || ('mfa' in auth && auth.mfa !== undefined);
  return interactive
    ? Object.assign(made, { loginTimeoutMs: Math.max(made.loginTimeoutMs ?? 0, INTERACTIVE_LOGIN_TIMEOUT_MS) })
    : made;
}

/**
 * Environment variables that a login takes credentials from: those that the options name, and those that the method or
 * its platform reads when nothing is given.
 *
 * @internal
 */
export function credentialVariables(auth: VaultAuth): string[] {
  const kind = kindOf((auth as { readonly method?: unknown }).method);
  if (!kind) return [];
  return [...variablesNamedIn(withDefaults(kind, auth)), ...(kind.platformVariables?.(auth) ?? [])];
}

function kindOf(method: unknown): LoginMethodDefinition<VaultAuth> | undefined {
  return Object.hasOwn(LOGIN_METHODS, String(method))
    ? (LOGIN_METHODS[method as VaultAuth['method']] as LoginMethodDefinition<VaultAuth>)
    : undefined;
}

function withDefaults(kind: LoginMethodDefinition<VaultAuth>, auth: VaultAuth): VaultAuth {
  const given = Object.entries(auth).filter(([, value]) => value !== undefined);
  return { ...kind.defaults, ...Object.fromEntries(given) } as VaultAuth;
}

/** Methods of the server that are not built in, and what to do instead. */
const INSTEAD = new Map<unknown, string>([
  [
    'kerberos',
    'Use "custom" with a function that sends the SPNEGO token to auth/kerberos/login; docs/logging-in-more.md shows it.',
  ],
]);

function unknownMethod(method: unknown): VaultInvalidOptionError {
  // What was given is not repeated: it may be a credential in the wrong place.
  const what = method === undefined ? 'missing' : 'not the name of a login method';
  return new VaultInvalidOptionError(
    `"auth.method" is ${what}. ${INSTEAD.get(method) ?? `${similarMethod(method)}Known methods: ${Object.keys(LOGIN_METHODS).join(', ')}.`}`,
  );
}

function similarMethod(method: unknown): string {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const similar = Object.keys(LOGIN_METHODS).find((name) => plain(name) === plain(String(method)));
  return similar === undefined ? '' : `Did you mean "${similar}"? `;
}
