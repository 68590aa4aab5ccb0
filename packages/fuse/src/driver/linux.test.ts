import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { Shelf } from '../../test/support/shelf.ts';
import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { linuxDriver } from './linux.ts';
import { run } from './unmount.ts';

/** A file system whose reads of file contents wait to be let go. */
class Held {
  readonly fileSystem: ArchiveFileSystem;
  /** Resolves when somebody reads. */
  readonly asked: Promise<void>;
  letGo: () => void = () => undefined;

  constructor(fileSystem: ArchiveFileSystem) {
    const held = new Promise<void>((resolve) => (this.letGo = resolve));
    let tell: () => void = () => undefined;
    this.asked = new Promise((resolve) => (tell = resolve));
    this.fileSystem = Object.assign(Object.create(fileSystem) as ArchiveFileSystem, {
      readNow: () => undefined,
      read: async (): Promise<readonly Uint8Array[]> => {
        tell();
        await held;
        return [Buffer.from('an answer that nobody waits for')];
      },
    });
  }
}

describe.runIf(process.geteuid?.() === 0)('a mount that ends while a read waits', () => {
  it('writes nothing into the files that get its descriptor', async () => {
    await using shelf = await Shelf.make((directory) => writeFileSync(`${directory}/f`, 'content'));
    const archive = shelf.repository.archive('latest');
    const held = new Held(shelf.show({ archive }));
    const [path = new Uint8Array()] = archive.descriptor.paths;
    const directory = `${shelf.directory}/mnt`;
    mkdirSync(directory);
    const problems: string[] = [];
    const live = await linuxDriver.mount({
      fileSystem: held.fileSystem,
      directory,
      source: 'cairn:test',
      allowOther: false,
      checkPermissions: true,
      onProblem: (text) => void problems.push(text),
    });
    const reader = spawn('cat', [`${directory}${Buffer.from(path).toString()}/f`], { stdio: 'ignore' });
    const gone = once(reader, 'exit');
    await held.asked;
    // The kernel gives up every request and does not tell which, as when the last who reads is gone while it reads ahead.
    expect((await run('umount', ['-i', '-f', '-l', '--', directory])).status).toBe(0);
    await live.ended;
    const files = Array.from({ length: 20 }, (_, i) => `${shelf.directory}/opened-${i}`);
    const descriptors = files.map((file) => openSync(file, 'w'));
    held.letGo();
    await gone;
    await setTimeout(50);
    for (const fd of descriptors) closeSync(fd);
    expect(files.map((file) => readFileSync(file, 'latin1'))).toEqual(files.map(() => ''));
    expect(problems).toEqual([]);
  });
});
