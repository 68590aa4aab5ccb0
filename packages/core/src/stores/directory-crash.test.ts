import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import { listAll } from '../testing/object-store-scratch.ts';
import { DirectoryStore } from './directory.ts';

const ROUNDS = 6;
const { random } = systemEnvironment;
let base: string;
let writer: string;

/** Puts random packs, eight at once, and prints the name of each when its put resolved; never ends by itself. */
const WRITER = `
import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { DirectoryStore } from './stores/directory.js';
const store = await DirectoryStore.open(process.argv[2], { bytes: (length) => new Uint8Array(randomBytes(length)) });
async function work() {
  for (;;) {
    const body = randomBytes(100_000 + Math.floor(Math.random() * 1_000_000));
    const name = createHash('sha256').update(body).digest('hex');
    await store.put({ kind: 'packs', name }, body);
    writeSync(1, name + '\\n');
  }
}
await Promise.all(Array.from({ length: 8 }, work));
`;

/** A process of its own needs JavaScript: the store and what it imports are compiled for it, and nothing else. */
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'cairn-crash-'));
  const source = fileURLToPath(new URL('..', import.meta.url));
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const project = join(base, 'tsconfig.json');
  const compilerOptions = {
    composite: false,
    rootDir: source,
    outDir: join(base, 'js'),
    typeRoots: [join(source, '../../../node_modules/@types')],
  };
  writeFileSync(
    project,
    JSON.stringify({
      extends: join(source, '../../../tsconfig.base.json'),
      compilerOptions,
      files: [join(source, 'stores/directory.ts')],
    }),
  );
  execFileSync(process.execPath, [compiler, '-p', project], { stdio: ['ignore', 'inherit', 'inherit'] });
  writer = join(base, 'js/writer.js');
  mkdirSync(dirname(writer), { recursive: true });
  writeFileSync(join(base, 'js/package.json'), '{ "type": "module" }');
  writeFileSync(writer, WRITER);
}, 60_000);

afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Kills a writer without warning, some time after its first puts, and gives the names that it was told are stored. */
async function killedWriter(root: string, delayMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (printed === '') setTimeout(() => child.kill('SIGKILL'), delayMs);
      printed += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve();
      else reject(new Error(`the writer ended by itself: ${code}`));
    });
  });
  return printed.split('\n').slice(0, -1);
}

describe('a writer that is killed', () => {
  it('leaves whole objects only, and every one whose put resolved', { timeout: 60_000 }, async () => {
    const root = join(base, 'repository');
    const store = await DirectoryStore.create(root, random);
    const promised: string[] = [];
    let unfinished = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      promised.push(...(await killedWriter(root, 5 + 17 * round)));
      unfinished += readdirSync(join(root, 'tmp')).length;
      const names = new Set<string>();
      for (const info of await listAll(store, 'packs')) {
        names.add(info.name);
        const hash = createHash('sha256')
          .update(await store.get(info))
          .digest('hex');
        expect(hash).toBe(info.name);
      }
      expect(promised.filter((name) => !names.has(name))).toEqual([]);
    }
    expect(promised.length).toBeGreaterThanOrEqual(ROUNDS);
    // Else it was never killed in the middle of a put, and this test showed nothing.
    expect(unfinished).toBeGreaterThan(0);
    await expectLeftoversToGo(root);
  });
});

async function expectLeftoversToGo(root: string): Promise<void> {
  const temps = join(root, 'tmp');
  const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
  for (const name of readdirSync(temps)) {
    expect(statSync(join(temps, name)).isFile()).toBe(true);
    utimesSync(join(temps, name), twoDaysAgo, twoDaysAgo);
  }
  await DirectoryStore.open(root, random);
  expect(readdirSync(temps)).toEqual([]);
}
