export type { AppRoleAuth, PulledSecretId, WrappedSecretId } from './auth/methods/approle.auth.js';
export type { AwsEc2Auth } from './auth/methods/aws.auth.js';
export type { AwsIamAuth } from './auth/methods/aws.auth.js';
export type { AzureAuth } from './auth/methods/azure.auth.js';
export type { CertAuth } from './auth/methods/cert.auth.js';
export type { AwsCredentials, AwsCredentialSource } from './auth/methods/aws-credentials.js';
export type { AzureTokenSource } from './auth/methods/azure-token.js';
export type { Credential } from './auth/credential.js';
export type { CustomAuth, CustomLoginClient, CustomLoginResult } from './auth/methods/custom.auth.js';
export type { GcpGceAuth, GcpIamAuth } from './auth/methods/gcp.auth.js';
export type { GithubAuth } from './auth/methods/github.auth.js';
export type { JwtAuth } from './auth/methods/jwt.auth.js';
export type { KubernetesAuth } from './auth/methods/kubernetes.auth.js';
export type { LdapAuth } from './auth/methods/password.auth.js';
export type { VaultAuth } from './auth/login-methods.js';
export type { LoginOptions, MountedLoginOptions } from './auth/login.js';
export type { MfaPasscodes } from './auth/mfa.js';
export type { NoneAuth } from './auth/methods/none.auth.js';
export type { OidcAuth } from './auth/methods/oidc.auth.js';
export type { OktaAuth } from './auth/methods/password.auth.js';
export type { RadiusAuth } from './auth/methods/password.auth.js';
export type { VaultSessionState, VaultSessionStatus } from './session/session-options.js';
export type { VaultSession } from './session/vault-session.js';
export type { TokenFileAuth } from './auth/methods/token-file.auth.js';
export type { TokenAuth } from './auth/methods/token.auth.js';
export type { UserpassAuth } from './auth/methods/password.auth.js';
export { tokenHelper } from './auth/methods/token.auth.js';
export type { VaultConsistency } from './client/consistency.js';
export type { VaultRateLimit } from './client/rate-limiter.js';
export type { VaultPem } from './client/connections/tls.options.js';
export type { VaultRequestOptions } from './client/client-options.js';
export type { VaultConfigChange, VaultSecretChange } from './config/refresh/changes.js';
export type { VaultConfigNamespace, VaultConfigNamespaceOptions } from './config/namespaces/config-namespace.js';
export type { VaultConfigOptions } from './config/config.options.js';
export type { VaultRefreshResult } from './config/refresh/refresher.js';
export type { VaultValueOrigin } from './config/origins.js';
export type { VaultConfigFactory } from './config/sources/factories.js';
export type { VaultLayoutOptions } from './config/sources/layout.js';
export type { VaultDegradation } from './config/snapshot/snapshot.options.js';
export type { VaultSnapshotOptions } from './config/snapshot/snapshot.options.js';
export { OnVaultChange } from './config/refresh/changes.js';
export type { VaultRefreshOptions } from './config/refresh/refresh.options.js';
export type { VaultPrecedence } from './config/assembly/environment-precedence.js';
export type { VaultReferenceOptions } from './config/references/reference.options.js';
export type { VaultSecretFile } from './config/files/secret-file.options.js';
export type { SchemaOutput, StandardIssue, StandardResult, StandardSchema } from './config/standard-schema.js';
export { vaultConfig } from './config/namespaces/vault-config.js';
export type { VaultSource, VaultSourceOptions } from './config/sources/vault-source.js';
export type { VaultCallOptions } from './engines/engine.options.js';
export type { Kv1Engine } from './engines/kv1.engine.js';
export type { Kv2Engine, Kv2WriteOptions } from './engines/kv2.engine.js';
export type { Kv2Metadata, Kv2Secret, Kv2Version } from './engines/kv2-responses.js';
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
  VaultDisabledError,
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
export type {
  VaultAdvice,
  VaultAdviceId,
  VaultErrorCode,
  VaultErrorDetails,
  VaultErrorParts,
  VaultErrorType,
} from './errors/index.js';
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
  VaultConfigNotRefreshedEvent,
  VaultConfigurationProblem,
  VaultConfigProblemEvent,
  VaultSnapshotEvent,
} from './observability/vault-event.js';
export type { VaultTraceContext } from './observability/channels.js';
export type { VaultHealth, VaultServerState } from './sys/server-state.js';
export type { VaultSealStatus } from './sys/server-state.js';
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
export type { VaultStatus } from './vault.status.js';
export type { VaultEndpointState, VaultEndpointStatus } from './client/endpoints.js';
export type { VaultConfigurationStatus } from './config/refresh/config-status.js';
