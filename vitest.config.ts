import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** `CAIRN_TESTS=fast` leaves out what takes long and depends on no version of Node: scripts, benchmarks, whole programs. */
const fast = process.env['CAIRN_TESTS'] === 'fast';

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'packages/*/test/**/*.test.ts',
      ...(fast ? [] : ['scripts/**/*.test.mjs', 'bench/*.test.mjs']),
    ],
    exclude: ['**/node_modules/**', '**/dist/**', ...(fast ? ['packages/*/test/**', '**/*.slow.test.ts'] : [])],
    // A process for each file: native libraries, worker threads and the umask are the process's own.
    pool: 'forks',
    // Three files at once even on two cores: much of what a test does is to wait, for another process or a network that is slow on purpose.
    maxWorkers: Math.max(3, availableParallelism()),
    // Longer than any test takes on two busy cores; what takes longer hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for comes within a moment, but not on two busy cores.
    expect: { poll: { timeout: 20_000 } },
  },
});
