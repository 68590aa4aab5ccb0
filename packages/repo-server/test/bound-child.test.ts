import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const CHILD = fileURLToPath(new URL('../../core/dist/testing/bound-child.js', import.meta.url));

it('a server that a test starts ends with the test, even when that is killed', async () => {
  const program =
    `import { spawnBound } from '${CHILD}';` +
    `const child = spawnBound('sleep', ['1000']); console.log(child.pid); setInterval(() => {}, 1000);`;
  const test = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [text] = (await once(test.stdout, 'data')) as [Buffer];
  const pid = Number(text.toString());
  expect(isAlive(pid)).toBe(true);
  test.kill('SIGKILL');
  await expect.poll(() => isAlive(pid), { timeout: 5_000 }).toBe(false);
});

/** A process that nobody has waited for is dead, too (proc_pid_stat(5)). */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
