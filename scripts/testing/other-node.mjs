// @ts-check
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Long enough for 60 MB over a slow line. */
const INSTALL_MS = 180_000;

/**
 * A Node of another major version, from the npm package that carries its program. It is installed below `.cache`, outside
 * of all workspaces: in their `node_modules` it would take the place of the one that runs everything.
 *
 * @param {string} root @param {number} major
 * @returns {{ node: string } | { unavailable: string }} the program, or one line that says why there is none
 */
export function otherNode(root, major) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = path.join(root, '.cache', `node-${major}`);
  const node = path.join(folder, 'node_modules', name, 'bin', 'node');
  try {
    if (!existsSync(node)) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
      const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--no-progress'];
      execFileSync('npm', ['install', ...options, `${name}@${major}`], {
        cwd: folder,
        stdio: 'pipe',
        timeout: INSTALL_MS,
      });
    }
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    return version.startsWith(`v${major}.`) ? { node } : { unavailable: `${name}@${major} brought ${version}` };
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const reason = said.split('\n').find((line) => /error|E\d{3}/i.test(line)) ?? said.split('\n')[0] ?? '';
    return { unavailable: `${name}@${major} cannot be installed: ${reason.trim()}` };
  }
}
