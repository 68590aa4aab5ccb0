import { fileURLToPath } from 'node:url';

/**
 * The program as few files: start-up is half of an unchanged backup, and each of 150 modules costs its share. Everything of
 * ours goes into `dist/`; packages of others are loaded from where npm put them.
 */
const WORKER = /core\/dist\/(backup|restore|check|read|crypto)\/[^/]+\.js$/;

const THREADS = {
  'backup-worker': '../core/dist/backup/worker-thread.js',
  'backup-look-ahead': '../core/dist/backup/look-ahead-thread.js',
  'restore-worker': '../core/dist/restore/worker-thread.js',
  'check-worker': '../core/dist/check/worker-thread.js',
  'read-worker': '../core/dist/read/worker-thread.js',
  'crypto-worker': '../core/dist/crypto/worker-thread.js',
};

/** What threads load as they start, with all that it imports. */
let ofThreads;

/** True for what threads need: a tenth of all, and each of them would compile the rest too. */
function isOfThreads(id, context) {
  if (ofThreads === undefined) {
    ofThreads = new Set(Object.values(THREADS).map((file) => fileURLToPath(new URL(file, import.meta.url))));
    for (const module of ofThreads)
      for (const imported of context.getModuleInfo(module)?.importedIds ?? []) ofThreads.add(imported);
  }
  return ofThreads.has(id);
}

export default {
  platform: 'node',
  input: { main: 'build/main.js', ...THREADS },
  external: [
    /^node:/,
    'aws4fetch',
    'commander',
    'croner',
    'fastcdc-wasm',
    'hono',
    'koffi',
    'nodemailer',
    'openpgp',
    'qr',
    'smol-toml',
    'zod',
    /^@bokuweb\//,
    /^@hono\//,
    /^@noble\//,
    /^@photostructure\//,
  ],
  plugins: [
    {
      // Worker threads are started by file name, and here all files lie in one folder.
      name: 'name-workers',
      transform(code, id) {
        const verb = WORKER.exec(id)?.[1];
        if (verb === undefined) return null;
        return code
          .replaceAll("'./worker-thread.js'", `'./${verb}-worker.js'`)
          .replaceAll("'./look-ahead-thread.js'", `'./${verb}-look-ahead.js'`);
      },
    },
  ],
  checks: { ineffectiveDynamicImport: false },
  output: {
    dir: 'dist',
    format: 'esm',
    cleanDir: true,
    codeSplitting: {
      groups: [
        // Apart from the rest: `cairn --version`, and the answer to a Node that is too old, need nothing else.
        { name: 'version', test: /\/cli\/build\/version\.js$/, priority: 1 },
        {
          debugName: 'threads',
          name: (id, context) => (isOfThreads(id, context) ? 'threads' : null),
          minShareCount: 2,
          priority: 1,
        },
        // What most verbs need. Without what runs jobs: that asks for packages, which take as long to load as all of this.
        { name: 'shared', test: /\/(core\/dist|fuse\/dist|cli\/build(?!\/jobs\/))\//, minShareCount: 2 },
        { name: 'jobs', test: /\/(jobs\/dist|cli\/build\/jobs)\//, minShareCount: 2 },
      ],
    },
  },
};
