const CLOUD = /^(AWS_|AZURE_|GCE_|GOOGLE_|IDENTITY_|MSI_)/;

/** An environment without anything of a cloud in it, and with this; files of this machine's user are not read either. */
export function cloudEnvironment(before: NodeJS.ProcessEnv, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !CLOUD.test(name))),
    AWS_CONFIG_FILE: '/nonexistent/config',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...more,
  };
}
