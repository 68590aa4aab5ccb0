import { createKeyFile, DirectoryStore, encodeKeyFileText, nodeSuite, Repository } from '@cairn/core';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Where `npm install --prefix DIRECTORY fuse-native@2.2.6` put the package: `DIRECTORY/node_modules`. This program does not depend on
 * it, and it is not maintained any more, so it is not installed for every test.
 */
const PACKAGES = process.env['CAIRN_FUSE_NATIVE'];

const LARGE_BYTES = 5_000_000;

/** Mounts with that driver until its standard input ends. */
const PROGRAM = `
import { DirectoryStore, nodeSuite, readKeyFile, Repository } from ${JSON.stringify(moduleAt('../../core/dist/index.js'))};
import { fuseNativeDriver, mountArchives } from ${JSON.stringify(moduleAt('../dist/index.js'))};
const [repositoryPath, directory, keyFile] = process.argv.slice(2);
const { capabilities } = (await readKeyFile(nodeSuite, keyFile)).keyFile;
const repository = await Repository.open(await DirectoryStore.open(repositoryPath), { keys: capabilities });
const onProblem = (text) => process.stderr.write(text + '\\n');
const request = { directory, archive: repository.archive('latest'), threads: 1 };
try {
  const live = await mountArchives(repository, request, { driver: fuseNativeDriver, onProblem });
  process.stdout.write('mounted\\n');
  process.stdin.once('end', () => void live.unmount()).resume();
  await live.ended;
  process.exit(0);
} catch (error) {
  process.stderr.write(error.code + ': ' + error.message + ' ' + error.hint + '\\n');
  process.exit(1);
}
`;

function moduleAt(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

const scratch = mkdtempSync(join(tmpdir(), 'cairn-native-'));
const source = join(scratch, 'source');
const directory = join(scratch, 'mnt');
const keyFile = join(scratch, 'root.key');

beforeAll(async () => {
  mkdirSync(join(source, 'deep/er'), { recursive: true });
  mkdirSync(directory);
  writeFileSync(join(source, 'deep/er/file'), 'some text');
  writeFileSync(join(source, 'naïve – name'), 'utf-8', { mode: 0o640 });
  const large = new Uint32Array(LARGE_BYTES / 4).map((_, i) => i * 2_654_435_761);
  writeFileSync(join(source, 'large'), large);
  symlinkSync('deep/er/file', join(source, 'link'));
  const store = await DirectoryStore.create(join(scratch, 'repo'));
  const { repository, keys } = await Repository.create(store);
  await repository.backup({ paths: [source], threads: 0 });
  await repository.close();
  await createKeyFile(nodeSuite, keyFile, encodeKeyFileText(nodeSuite, keys, { label: 'test', createdNs: 0n }));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function start(packages: string): ChildProcess {
  const program = join(scratch, 'mount.mjs');
  writeFileSync(program, PROGRAM);
  const args = [program, join(scratch, 'repo'), directory, keyFile];
  return spawn(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '', NODE_PATH: packages } });
}

describe('the adapter for fuse-native', () => {
  it('says how to get the package when it is not there', async () => {
    const child = start('/nonexistent');
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (said += part));
    const [status] = (await once(child, 'close')) as [number];
    expect([status, said]).toEqual([
      1,
      expect.stringMatching(/^HOST_UNSUPPORTED: .*fuse-native.*npm install -g fuse-native/),
    ]);
  });
});

describe.runIf(PACKAGES !== undefined && process.geteuid?.() === 0)('a mount with fuse-native', () => {
  it('shows names, contents, links and permissions, read-only, and ends in order', async () => {
    const child = start(PACKAGES ?? '');
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    const root = `${directory}${source}`;
    // In programs of their own: the driver answers in the thread that would wait here.
    expect(execFileSync('diff', ['-r', '--no-dereference', source, root]).toString()).toBe('');
    expect(statSync(join(root, 'naïve – name')).mode & 0o777).toBe(0o640);
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((one) => one.includes(` ${directory} `));
    expect(line).toMatch(/ ro,nosuid,nodev,/);
    for (const command of [`touch ${root}/new`, `rm ${root}/large`, `mkdir ${root}/d`]) {
      const { status, stderr } = spawnSync('sh', ['-c', command], {
        encoding: 'utf8',
        env: { LC_ALL: 'C', PATH: '/bin:/usr/bin' },
      });
      expect([command, status, stderr]).toEqual([command, 1, expect.stringContaining('Read-only file system')]);
    }
    const exited = once(child, 'exit');
    child.stdin?.end();
    expect((await exited)[0]).toBe(0);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
  });
});
