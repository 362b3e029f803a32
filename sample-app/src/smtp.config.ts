import { vaultConfig } from 'nestjs-vault';

/** How mail leaves the house, as `secret/shared/smtp` has it. A schema, of zod for instance, would check it too. */
export interface SmtpConfig {
  host: string;
  port: number;
  user: string;
  password: string;
}

export const smtpConfig = vaultConfig<SmtpConfig>('smtp', { secretPath: 'shared/smtp' });
