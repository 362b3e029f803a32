export type { AppRoleAuth, PulledSecretId, WrappedSecretId } from './auth/approle.auth.js';
export type { AwsEc2Auth } from './auth/aws-ec2.auth.js';
export type { AwsIamAuth } from './auth/aws-iam.auth.js';
export type { AzureAuth } from './auth/azure.auth.js';
export type { CertAuth } from './auth/cert.auth.js';
export type { AwsCredentials, AwsCredentialSource } from './auth/cloud/aws-credentials.js';
export type { AzureTokenSource } from './auth/cloud/azure-token.js';
export type { Credential } from './auth/credential.js';
export type { CustomAuth, CustomLoginClient, CustomLoginResult } from './auth/custom.auth.js';
export type { GcpGceAuth, GcpIamAuth } from './auth/gcp.auth.js';
export type { GithubAuth } from './auth/github.auth.js';
export type { JwtAuth } from './auth/jwt.auth.js';
export type { KubernetesAuth } from './auth/kubernetes.auth.js';
export type { LdapAuth } from './auth/ldap.auth.js';
export type { VaultAuth } from './auth/login-methods.js';
export type { LoginOptions, MountedLoginOptions } from './auth/login.options.js';
export type { MfaPasscodes } from './auth/mfa.js';
export type { NoneAuth } from './auth/none.auth.js';
export type { OidcAuth } from './auth/oidc.auth.js';
export type { OktaAuth } from './auth/okta.auth.js';
export type { RadiusAuth } from './auth/radius.auth.js';
export type { VaultSession, VaultSessionState } from './auth/session.js';
export type { TokenFileAuth } from './auth/token-file.auth.js';
export type { TokenAuth } from './auth/token.auth.js';
export type { UserpassAuth } from './auth/userpass.auth.js';
export { tokenHelper } from './auth/token-helper.js';
export type { VaultConsistency } from './client/consistency.js';
export type { VaultRateLimit } from './client/rate-limiter.js';
export type { VaultPem } from './client/tls.options.js';
export type { VaultRequestOptions } from './client/transport.options.js';
export type { VaultConfigChange, VaultSecretChange } from './config/config-change.js';
export type { VaultConfigNamespace, VaultConfigNamespaceOptions } from './config/config-namespace.js';
export type { VaultConfigOptions } from './config/config.options.js';
export type { VaultRefreshResult } from './config/configuration-refresher.js';
export type { VaultValueOrigin } from './config/value-origin.js';
export type { VaultConfigFactory } from './config/config-factories.js';
export type { VaultLayoutOptions } from './config/layout.js';
export type { VaultDegradation } from './config/snapshot/degradation.js';
export type { VaultSnapshotOptions } from './config/snapshot/snapshot.options.js';
export { OnVaultChange } from './config/on-vault-change.js';
export type { VaultRefreshOptions } from './config/refresh.options.js';
export type { VaultPrecedence } from './config/precedence.js';
export type { VaultReferenceOptions } from './config/references/reference.options.js';
export type { VaultSecretFile } from './config/secret-file.options.js';
export type { SchemaOutput, StandardIssue, StandardResult, StandardSchema } from './config/standard-schema.js';
export { vaultConfig } from './config/vault-config.js';
export type { VaultSource, VaultSourceOptions } from './config/vault-source.js';
export type { VaultCallOptions } from './engines/engine.options.js';
export type { Kv1Engine } from './engines/kv1.engine.js';
export type { Kv2Engine, Kv2WriteOptions } from './engines/kv2.engine.js';
export type { Kv2Metadata, Kv2Secret, Kv2Version } from './engines/kv2.types.js';
export type { VaultLogicalOptions, VaultSecret } from './engines/logical.engine.js';
export {
  isVaultError,
  VaultAbortedError,
  VaultAuthenticationError,
  VaultBadResponseError,
  VaultCasMismatchError,
  VaultClosedError,
  VaultConfigurationError,
  VaultConnectionError,
  VaultDeletedVersionError,
  VaultError,
  VaultInvalidOptionError,
  VaultInvalidPathError,
  VaultNotFoundError,
  VaultNotInitializedError,
  VaultPermissionError,
  VaultRateLimitedError,
  VaultRequestError,
  VaultSealedError,
  VaultServerError,
  VaultSnapshotError,
  VaultTimeoutError,
  VaultTlsError,
} from './errors/index.js';
export type { VaultErrorCode, VaultErrorDetails } from './errors/index.js';
export { loadVaultConfig } from './load-vault-config.js';
export type {
  VaultEndpointChangedEvent,
  VaultEvent,
  VaultLoginEvent,
  VaultLoginFailedEvent,
  VaultRenewalFailedEvent,
  VaultRequestRetriedEvent,
  VaultSessionStateEvent,
  VaultTokenRenewedEvent,
  VaultConfigChangedEvent,
  VaultConfigProblemEvent,
  VaultSnapshotEvent,
} from './observability/vault-event.js';
export type { VaultHealth, VaultServerState } from './sys/health.js';
export type { VaultSealStatus } from './sys/seal-status.js';
export type { VaultUnsealOptions, VaultUnsealProgress, VaultUnsealResult } from './sys/unseal.js';
export type { VaultSys } from './sys/vault-sys.js';
export { getVaultToken, InjectVault } from './inject-vault.js';
export { VaultModule } from './vault.module.js';
export type {
  VaultBootOptions,
  VaultBootUnsealOptions,
  VaultModuleAsyncOptions,
  VaultModuleOptions,
  VaultModuleRegistration,
  VaultOptionsFactory,
  VaultShutdownOptions,
  VaultTlsOptions,
} from './vault.options.js';
export { VaultService } from './vault.service.js';
