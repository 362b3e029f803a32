import { VaultInvalidOptionError } from '../errors/index.js';
import { checkOptions, unchecked } from '../options/check-options.js';
import { variablesNamedIn } from './credential.js';
import type { LoginContext, LoginMethod, LoginMethodDefinition } from './login.js';
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
import type { NoneAuth } from './methods/none.auth.js';
import { none } from './methods/none.auth.js';
import type { OidcAuth } from './methods/oidc.auth.js';
import { oidc } from './methods/oidc.auth.js';
import type { LdapAuth, OktaAuth, RadiusAuth, UserpassAuth } from './methods/password.auth.js';
import { ldap, okta, radius, userpass } from './methods/password.auth.js';
import type { TokenFileAuth } from './methods/token-file.auth.js';
import { tokenFile } from './methods/token-file.auth.js';
import type { TokenAuth } from './methods/token.auth.js';
import { defaultToken, token } from './methods/token.auth.js';

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

/** All login methods. To add one, create its file and add a line to the type above and one here. */
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

/** Login timeout when a person may have to confirm a second factor. */
const INTERACTIVE_LOGIN_TIMEOUT_MS = 300_000;

/**
 * Creates the login method for the `auth` option.
 *
 * @throws VaultInvalidOptionError for an unknown method or invalid options
 * @throws VaultInvalidPathError for an invalid mount path
 * @internal
 */
export function createLoginMethod(auth: VaultAuth, context: LoginContext = { tls: {} }): LoginMethod {
  const { method } = auth as { readonly method?: unknown };
  const definition = definitionOf(method);
  if (!definition) throw unknownMethod(method);
  checkOptions(auth, { method: unchecked, ...definition.shape }, 'auth');
  const loginMethod = definition.create(withDefaults(definition, auth), context);
  const interactive = method === 'okta' || ('mfa' in auth && auth.mfa !== undefined);
  return interactive
    ? Object.assign(loginMethod, {
        loginTimeoutMs: Math.max(loginMethod.loginTimeoutMs ?? 0, INTERACTIVE_LOGIN_TIMEOUT_MS),
      })
    : loginMethod;
}

/**
 * Environment variables that a login reads credentials from: those named in the options, and those that the method or its
 * platform reads by default.
 *
 * @internal
 */
export function credentialVariables(auth: VaultAuth): string[] {
  const definition = definitionOf((auth as { readonly method?: unknown }).method);
  if (!definition) return [];
  return [...variablesNamedIn(withDefaults(definition, auth)), ...(definition.platformVariables?.(auth) ?? [])];
}

function definitionOf(method: unknown): LoginMethodDefinition<VaultAuth> | undefined {
  return Object.hasOwn(LOGIN_METHODS, String(method))
    ? (LOGIN_METHODS[method as VaultAuth['method']] as LoginMethodDefinition<VaultAuth>)
    : undefined;
}

function withDefaults(definition: LoginMethodDefinition<VaultAuth>, auth: VaultAuth): VaultAuth {
  const given = Object.entries(auth).filter(([, value]) => value !== undefined);
  return { ...definition.defaults, ...Object.fromEntries(given) } as VaultAuth;
}

/** Advice for methods of the server that are not built in. */
const ALTERNATIVES = new Map<unknown, string>([
  [
    'kerberos',
    'Use "custom" with a function that sends the SPNEGO token to auth/kerberos/login; docs/logging-in-more.md shows it.',
  ],
]);

function unknownMethod(method: unknown): VaultInvalidOptionError {
  // The value is not quoted: it may be a credential in the wrong place.
  const what = method === undefined ? 'missing' : 'not the name of a login method';
  return new VaultInvalidOptionError(
    `"auth.method" is ${what}. ${ALTERNATIVES.get(method) ?? `${similarMethod(method)}Known methods: ${Object.keys(LOGIN_METHODS).join(', ')}.`}`,
  );
}

function similarMethod(method: unknown): string {
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const similar = Object.keys(LOGIN_METHODS).find((name) => plain(name) === plain(String(method)));
  return similar === undefined ? '' : `Did you mean "${similar}"? `;
}

/**
 * The default of the `auth` option: the token in the environment, or AppRole with the role id and secret id in the
 * environment.
 *
 * @returns `undefined` if the environment has neither
 * @internal
 */
export function defaultAuth(): VaultAuth | undefined {
  if (defaultToken() !== undefined) return { method: 'token' };
  const roleId = variableWith('ROLE_ID');
  if (roleId === undefined) return undefined;
  const secretId = variableWith('SECRET_ID');
  return { method: 'approle', roleId: { env: roleId }, ...(secretId !== undefined && { secretId: { env: secretId } }) };
}

/** As with all variables, `BAO_<name>` takes precedence even if empty, and an empty variable counts as not set. */
function variableWith(name: string): string | undefined {
  const used = process.env[`BAO_${name}`] === undefined ? `VAULT_${name}` : `BAO_${name}`;
  return process.env[used] ? used : undefined;
}
