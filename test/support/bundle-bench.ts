import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformFile } from '@swc/core';
import type { VaultServer } from '../../lib/testing/index.js';
import { startVaultServer } from '../../lib/testing/index.js';

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const APPLICATION = join(ROOT, 'test/consumers/fixtures/bundled');
const PASSWORD = 'from-vault';

/** What the application prints: its values, and the name and code of an error after minification. */
export const REPORT = JSON.stringify({
  password: PASSWORD,
  read: { text: 'read' },
  error: ['VaultNotFoundError', 'VAULT_NOT_FOUND'],
});
/** What it prints when its token belongs to another Vault namespace. */
export const REFUSED = JSON.stringify(['VaultAuthenticationError', 'VAULT_AUTHENTICATION']);
export const WRONG_NAMESPACE = { VAULT_NAMESPACE: 'absent' };

/** Nest of a major version, and the format of the application. */
const PROJECTS = {
  'Nest 11, CommonJS': ['test/matrix/nest11/node_modules', 'commonjs'],
  'Nest 12, ES modules': ['node_modules', 'es6'],
} as const;
export type Project = keyof typeof PROJECTS;

/**
 * Projects with the application of test/consumers/fixtures/bundled, compiled, in which the package has none of its optional
 * packages; a server with the secrets of the application; and empty folders in which bundles run.
 */
export class BundleBench {
  private constructor(
    readonly folder: string,
    readonly server: VaultServer,
  ) {}

  static async start(): Promise<BundleBench> {
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-vault-bundles-'));
    const bench = new BundleBench(folder, await startVaultServer());
    await bench.server.seed({ 'secret/app': { SMTP_PASSWORD: PASSWORD }, 'secret/other': { text: 'read' } });
    for (const project of Object.keys(PROJECTS) as Project[]) await bench.#create(project);
    return bench;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  projectPath(project: Project): string {
    return join(this.folder, project.replace(/\W+/g, '-'));
  }

  /** Runs esbuild or webpack in a project; resolves with the folder of the bundle, which has nothing else in it. */
  async bundle(
    project: Project,
    name: string,
    command: (out: string) => [program: string, ...args: string[]],
  ): Promise<string> {
    const out = join(this.folder, 'bundles', `${project} ${name}`.replace(/\W+/g, '-'));
    await mkdir(out, { recursive: true });
    const [program, ...args] = command(out);
    await execute(program, args, { cwd: this.projectPath(project) });
    return out;
  }

  /** Starts a bundle in its folder; resolves with its standard output. */
  async run(out: string, file: string, environment: NodeJS.ProcessEnv = {}): Promise<string> {
    const connection = { VAULT_ADDR: this.server.endpoint, VAULT_TOKEN: this.server.rootToken };
    const env = { PATH: process.env['PATH'], HOME: out, ...connection, ...environment };
    const { stdout } = await execute(process.execPath, [file], { cwd: out, env });
    return stdout.trim();
  }

  async #create(project: Project): Promise<void> {
    const [nest, type] = PROJECTS[project];
    const path = this.projectPath(project);
    const modules = join(path, 'node_modules');
    await mkdir(join(modules, 'nestjs-vault'), { recursive: true });
    // Copied, so that the optional packages of this repository are not found.
    for (const part of ['dist', 'package.json']) {
      await cp(join(ROOT, part), join(modules, 'nestjs-vault', part), { recursive: true });
    }
    await symlink(join(ROOT, nest, '@nestjs'), join(modules, '@nestjs'));
    for (const name of ['reflect-metadata', 'rxjs', 'undici', 'node-vault']) {
      await symlink(join(ROOT, 'node_modules', name), join(modules, name));
    }
    await writeFile(join(path, 'package.json'), JSON.stringify({ type: type === 'es6' ? 'module' : 'commonjs' }));
    for (const file of ['application', 'context', 'http']) {
      const { code } = await transformFile(join(APPLICATION, `${file}.ts`), {
        swcrc: false,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type },
      });
      await writeFile(join(path, `${file}.js`), code);
    }
  }
}
