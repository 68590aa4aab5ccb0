import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { nodeAt, Shelf } from '../../test/support/shelf.ts';
import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { OPCODE } from '../protocol/constants.ts';
import type { RequestBody } from '../protocol/requests.ts';
import { Answers, type Answer } from './answers.ts';

const HEADER = { unique: 1n, uid: 0, gid: 0, pid: 1 } as const;

interface Mounted extends AsyncDisposable {
  readonly answers: Answers;
  readonly fileSystem: ArchiveFileSystem;
  /** The directory that was backed up. */
  readonly source: number;
  ask(node: number, opcode: number, body?: RequestBody): Answer | Promise<Answer>;
}

async function mounted(fill: (directory: string) => void): Promise<Mounted> {
  const shelf = await Shelf.make(fill);
  const archive = shelf.repository.archive('latest');
  const fileSystem = shelf.show({ archive });
  const answers = new Answers(fileSystem, true);
  return {
    answers,
    fileSystem,
    source: await shelf.source(fileSystem, archive),
    ask: (node, opcode, body = { kind: 'other' }) => answers.answer({ ...HEADER, node, opcode, ...body }),
    [Symbol.asyncDispose]: async () => await shelf[Symbol.asyncDispose](),
  };
}

const bytesOf = (answer: Answer | Promise<Answer>): string => {
  if (answer instanceof Promise || typeof answer === 'string') throw new Error(`no bytes: ${String(answer)}`);
  return Buffer.concat(answer).toString('hex');
};

describe('answers that need no waiting', () => {
  it('are that a listed file has no extended attributes', async () => {
    await using shown = await mounted((directory) => writeFileSync(`${directory}/f`, 'x'));
    const { ask, source, fileSystem } = shown;
    await ask(source, OPCODE.readdirplus, { kind: 'readdir', offset: 0, size: 4096, plus: true });
    const node = await nodeAt(fileSystem, ['f'], source);
    expect(ask(node, OPCODE.getxattr, { kind: 'getxattr', name: 'user.a', size: 10 })).toBe('ENODATA');
    // `struct fuse_getxattr_out` with size 0, and an empty list.
    expect(bytesOf(ask(node, OPCODE.listxattr, { kind: 'listxattr', size: 0 }))).toBe('0000000000000000');
    expect(bytesOf(ask(node, OPCODE.listxattr, { kind: 'listxattr', size: 100 }))).toBe('');
  });

  it('are pieces of a file that were opened before, and never of another one', async () => {
    await using shown = await mounted((directory) => {
      writeFileSync(`${directory}/a`, 'content of a');
      writeFileSync(`${directory}/b`, 'content of b');
    });
    const { ask, source, fileSystem } = shown;
    const [a, b] = [await nodeAt(fileSystem, ['a'], source), await nodeAt(fileSystem, ['b'], source)];
    const read = (node: number, offset: number, size: number): Answer | Promise<Answer> =>
      ask(node, OPCODE.read, { kind: 'read', offset, size });
    const first = read(a, 0, 4096);
    expect(first).toBeInstanceOf(Promise);
    expect(Buffer.concat((await first) as Uint8Array[]).toString()).toBe('content of a');
    expect(Buffer.from(bytesOf(read(a, 8, 4096)), 'hex').toString()).toBe('of a');
    expect(bytesOf(read(a, 12, 4096))).toBe('');
    expect(read(b, 0, 4096)).toBeInstanceOf(Promise);
  });

  it('are refusals of everything that writes', async () => {
    await using shown = await mounted((directory) => writeFileSync(`${directory}/f`, 'x'));
    for (const opcode of [OPCODE.setattr, OPCODE.write, OPCODE.unlink, OPCODE.rename2, OPCODE.setxattr, OPCODE.create])
      expect(shown.ask(shown.source, opcode)).toBe('EROFS');
    // O_WRONLY and O_RDWR of asm-generic/fcntl.h.
    for (const flags of [1, 2]) expect(shown.ask(shown.source, OPCODE.open, { kind: 'open', flags })).toBe('EROFS');
  });
});
