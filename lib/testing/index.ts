export { createCertificates } from './certificates.js';
export type { CertificateOptions, ClientCertificates, ServerCertificates } from './certificates.js';
export type { VaultServerRequestOptions, VaultServerResponse } from './admin-client.js';
export { startVaultServer } from './start-vault-server.js';
export { VaultServer } from './vault-server.js';
export type { VaultServerOptions, VaultServerStorage } from './vault-server.options.js';
export { VaultTestServerError } from './vault-test-server.error.js';
export type { VaultTestServerProblem } from './vault-test-server.error.js';
