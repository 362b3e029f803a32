export { createCertificates } from '../server/certificates.js';
export type { CertificateOptions, ClientCertificates, ServerCertificates } from '../server/certificates.js';
export type { VaultServerRequestOptions, VaultServerResponse } from '../server/admin-client.js';
export { startVaultServer } from './start-vault-server.js';
export { VaultServer } from '../server/vault-server.js';
export type { VaultServerOptions, VaultServerStorage } from '../server/vault-server.options.js';
export { VaultTestServerError } from '../server/server-error.js';
export type { VaultTestServerProblem } from '../server/server-error.js';
