import { duration } from '../duration.js';

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is none. It is written after a boot with Vault, and its folder must exist.',
  'no-folder': 'its folder does not exist. Create it, in a place that outlives the process.',
  EACCES: 'this user may not open it or write to its folder (EACCES).',
  ENOTDIR: 'a part of its path is a file, not a folder (ENOTDIR).',
  EISDIR: 'it is a folder.',
  ENOSPC: 'the disk is full (ENOSPC).',
  EROFS: 'the file system is read-only (EROFS). Give "config.snapshot.file" a place that can be written to.',
  symlink: 'it is a symbolic link, which is not followed. Give the path of the file itself.',
  'not-a-file': 'it is not a regular file.',
  'too-large': 'it is larger than a snapshot may be.',
  truncated: 'it is shorter than a snapshot can be. It was cut off, or never written to the end.',
  'not-a-snapshot': 'it is not a snapshot of this module.',
  'unknown-version': 'another version of this module has written it.',
  foreign: 'it was made with another server address, another Vault namespace or other sources.',
  'wrong-key': 'the key is another one than it was written with, or the file was changed or cut off since.',
};

/**
 * Why a snapshot was refused or not written, and what to do, in words.
 *
 * @param ageMs negative for a file from the future
 * @internal
 */
export function describeFault(reason: string, ageMs = 0, maxAgeMs = 0): string {
  if (reason === 'too-old') {
    return `it is ${duration(ageMs)} old, and "config.snapshot.maxAgeMs" allows ${duration(maxAgeMs)}.`;
  }
  if (reason === 'future')
    return `it says it was written ${duration(-ageMs)} from now. Check the clock of this machine.`;
  return FAULTS[reason] ?? `the file system says ${reason}.`;
}
