import { headerText } from '../../options/check-options.js';
import type { AwsEc2Auth } from './aws-ec2.auth.js';
import { AwsEc2Login } from './aws-ec2.auth.js';
import type { AwsIamAuth } from './aws-iam.auth.js';
import { AwsIamLogin } from './aws-iam.auth.js';
import { checkAwsCredentials } from './cloud/aws-credentials.js';
import { name, oneOf, refuseOthers } from './cloud/option-checks.js';
import { checkCredential } from '../credential.js';
import type { LoginKind } from '../login-method.js';
import { MOUNTED } from '../login.options.js';

const OPTIONS_OF = {
  iam: ['serverId', 'region', 'stsEndpoint', 'credentials'],
  ec2: ['signature', 'nonce', 'metadataEndpoint'],
} as const;

/** @internal */
export const aws: LoginKind<AwsIamAuth | AwsEc2Auth> = {
  shape: {
    ...MOUNTED,
    type: oneOf('iam', 'ec2'),
    role: name,
    serverId: (value) => name(value) ?? headerText(value),
    region: (value) =>
      /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(String(value)) ? undefined : 'a region such as "eu-central-1"',
    stsEndpoint: name,
    credentials: checkAwsCredentials,
    signature: oneOf('pkcs7', 'rsa2048', 'identity'),
    nonce: checkCredential,
    metadataEndpoint: name,
  },
  // Those of the standard chain of the AWS SDK.
  platformVariables: ({ type, ...auth }) =>
    type === 'ec2' || ('credentials' in auth && auth.credentials !== undefined)
      ? []
      : ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN'],
  create: (auth) => {
    refuseOthers(auth, auth.type ?? 'iam', OPTIONS_OF);
    return auth.type === 'ec2' ? new AwsEc2Login(auth) : new AwsIamLogin(auth);
  },
};
