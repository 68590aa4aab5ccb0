// @ts-check
/**
 * The direction of imports inside `packages/core/src`. A part is a folder (ending in `/`) or a file; the longest match
 * counts. A file imports its own part and parts of rows above it, never a part of its own row or of a row below.
 *
 * @type {readonly (readonly string[])[]}
 */
export const CORE_ROWS = [
  // Words everything is said in: bounds, errors, names of objects, names of files as bytes.
  ['limits.ts', 'errors.ts', 'ids.ts', 'quantities.ts', 'host/byte-path.ts'],
  // What the engine asks of its surroundings.
  ['ports/'],
  ['stores/contract.ts', 'codec/', 'flow/', 'zstd/'],
  ['crypto/'],
  ['chunker/'],
  // The objects of the format.
  ['log/', 'pack/'],
  ['index/', 'tree/'],
  // What fills the ports, and what needs no repository.
  ['keys/', 'scan/', 'retention/', 'tar/'],
  ['stores/', 'host/'],
  // An opened repository: keys, log, index and packs together.
  ['repository/', 'index/load.ts', 'index/put-segment.ts', 'pack/chunk-reader.ts'],
  // The engines know nothing of each other.
  ['backup/', 'restore/', 'check/', 'read/', 'collect/', 'usage/'],
  // Made of their parts.
  ['repair/', 'copy/'],
  // The only place where writes to the store are ordered.
  ['verbs/'],
  ['repository.ts', 'self-test.ts'],
  ['index.ts', 'server.ts'],
];

/** Rows whose parts may import each other: the words are one vocabulary, an opened repository is one thing in three places. */
export const TOGETHER = ['limits.ts', 'repository/'];

/** Ships for tests of other packages too; may import everything, and production code never imports it. */
export const CORE_TESTING = 'testing/';

/** Production code that may: the command by which users test a store of their own. */
export const TESTING_USERS = ['packages/cli/src/verbs/doctor.ts'];

/**
 * Adapters are named only where the parts are put together: the facade, and the first file of each worker thread,
 * which cannot be handed objects. `host/` is wider: the engines that touch the file system are written against it.
 *
 * @type {readonly { adapter: string, users: readonly string[] }[]}
 */
export const ADAPTERS = [
  { adapter: 'crypto/node-suite.ts', users: ['repository.ts', 'self-test.ts', 'index.ts', 'worker-thread.ts'] },
  { adapter: 'crypto/noble-suite.ts', users: ['self-test.ts', 'index.ts', 'crypto/'] },
  { adapter: 'stores/', users: ['stores/', 'repository.ts', 'index.ts', 'server.ts'] },
  { adapter: 'host/environment.ts', users: ['host/', 'repository.ts', 'index.ts', 'server.ts', 'worker-thread.ts'] },
  {
    adapter: 'host/',
    users: [
      'host/',
      'backup/',
      'restore/',
      'check/',
      'read/',
      'verbs/',
      'repository.ts',
      'self-test.ts',
      'index.ts',
      'server.ts',
    ],
  },
];

/**
 * Single imports that go against the rows, each with the reason. One that is not needed any more is a finding.
 *
 * @type {readonly { from: string, to: string, reason: string }[]}
 */
export const ALLOWED = [
  {
    from: 'ports/tree-cache.ts',
    to: 'crypto/chunk-crypto.ts',
    reason: 'the type of a chunk reference, which the cache keeps as it is',
  },
  {
    from: 'stores/directory.ts',
    to: 'host/environment.ts',
    reason: 'random names of temporary files, so that a program opens a directory without bringing a source of them',
  },
  {
    from: 'stores/open.ts',
    to: 'host/environment.ts',
    reason: 'the one place that makes a store of an address; a program need bring nothing but that',
  },
  { from: 'stores/open.ts', to: 'host/timer.ts', reason: 'as above' },
];

/** Packages of this repository, and which of them each may import. */
export const PACKAGE_IMPORTS = /** @type {Readonly<Record<string, readonly string[]>>} */ ({
  core: [],
  fuse: ['core'],
  'repo-server': ['core'],
  jobs: ['core'],
  api: ['core', 'repo-server', 'jobs'],
  cli: ['core', 'fuse', 'repo-server', 'jobs', 'api'],
});
