import { beforeAll, describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import { doubtsOf } from '../log/doubts.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, directoryNode, fileNode, symlinkNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import { checkRepository } from './check.ts';

/** Bytes of each object that are tried: so many of the first 100, where the structure is, and so many of the rest. */
const STRUCTURE_BYTES = 100;
const TRIED_IN_STRUCTURE = 20;
const TRIED_ELSEWHERE = 12;

/** One path of an archive, as text that tells everything of it. */
type Content = ReadonlyMap<string, string>;

let builder: ArchiveBuilder;
let objects: Map<string, MemoryObject>;
let archives: ArchiveRecord[];
let contents: readonly Content[];

beforeAll(async () => {
  objects = new Map();
  builder = await ArchiveBuilder.create({ objects });
  const random = (seed: string, length: number): Buffer => pseudoRandomBytes(seed, length);
  const shared = directoryNode('shared', [
    fileNode('big', [random('a', 900), random('b', 700)]),
    fileNode('small', 'text'),
  ]);
  const sparse = fileNode('sparse', [random('c', 300)], { holes: [[100, 5000]] });
  archives = [
    await builder.commit([shared, symlinkNode('link', 'shared/small')], { packBytes: 1500 }),
    await builder.commit([shared, sparse], { packBytes: 1500 }),
  ];
  contents = await Promise.all(archives.map(async (archive) => readAll(await builder.access(), archive)));
});

/** Every path of an archive and its bytes; a typed error is an answer too. Anything else makes the test fail. */
async function readAll(access: RepositoryAccess, archive: ArchiveRecord): Promise<Content> {
  const found = new Map<string, string>();
  const attempt = async (name: string, work: () => Promise<string>): Promise<void> => {
    try {
      found.set(name, await work());
    } catch (error) {
      if (!isCairnError(error) || error.code === 'INTERNAL') throw error;
      found.set(name, `error ${error.code}`);
    }
  };
  await attempt('', async () => {
    const view = new ArchiveView(await access.chunkReader(), archive);
    for await (const { path, entry } of view.walk()) {
      await attempt(path, async () => {
        const pieces: Uint8Array[] = [];
        if (entry.kind === ENTRY_KIND.file) for await (const piece of view.read(path)) pieces.push(piece);
        return `${entry.kind} ${entry.size} ${entry.target} ${Buffer.concat(pieces).toString('hex')}`;
      });
    }
    return 'walked';
  });
  found.delete('');
  return found;
}

/** Opens the changed repository; undefined when that is refused, as it must be for a change of `config`. */
async function openChanged(changed: Map<string, MemoryObject>): Promise<RepositoryAccess | undefined> {
  try {
    return await builder.access(new MemoryStore(systemEnvironment.clock, changed));
  } catch (error) {
    if (!isCairnError(error) || error.code === 'INTERNAL') throw error;
    return undefined;
  }
}

/** Asserts that a change is noticed by a check, and that no reader takes it for content. */
async function assertNoticed(what: string, changed: Map<string, MemoryObject>): Promise<void> {
  const access = await openChanged(changed);
  if (access === undefined) return;
  expect(what).not.toMatch(/^config/);
  // An entry that takes nothing away is passed over when no key opens it, and told of by everything that opens the log.
  if (what.startsWith('log')) expect(doubtsOf(access.log), what).not.toEqual([]);
  const report = await checkRepository(access, { data: true, threads: 0 });
  expect(report.errors, `${what}: ${JSON.stringify(report.findings)}`).toBeGreaterThan(0);
  for (const [i, archive] of archives.entries()) {
    for (const [path, content] of await readAll(access, archive)) {
      if (!content.startsWith('error ')) expect(content, `${what}: ${path}`).toBe(contents[i]?.get(path));
    }
  }
}

/** Some positions of an object, another choice in every run, and its last. */
function positions(length: number): number[] {
  const bytes = Buffer.from(systemEnvironment.random.bytes(4 * (TRIED_IN_STRUCTURE + TRIED_ELSEWHERE)));
  const chosen = [length - 1];
  for (let i = 0; i < TRIED_IN_STRUCTURE + TRIED_ELSEWHERE; i++) {
    chosen.push(bytes.readUInt32LE(4 * i) % (i < TRIED_IN_STRUCTURE ? Math.min(STRUCTURE_BYTES, length) : length));
  }
  return chosen;
}

const kinds = ['config', 'log', 'index', 'packs'];

it('reads the sound repository whole', () => {
  expect(contents.map(({ size }) => size)).toEqual([5, 5]);
  for (const content of contents) for (const what of content.values()) expect(what).not.toContain('error');
});

describe('every change of a repository is noticed, and none is taken for content', () => {
  it.each(kinds)('a flipped bit in %s', { timeout: 30_000 }, async (kind) => {
    let tried = 0;
    for (const [label, object] of [...objects].filter(([name]) => name.startsWith(kind))) {
      for (const at of positions(object.body.length)) {
        const body = new Uint8Array(object.body);
        body[at] = (body[at] as number) ^ (1 << (at % 8));
        await assertNoticed(`${label} byte ${at}`, new Map(objects).set(label, { ...object, body }));
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(TRIED_IN_STRUCTURE);
  });

  it.each(kinds)('an object of %s that is cut off or longer', { timeout: 30_000 }, async (kind) => {
    for (const [label, object] of [...objects].filter(([name]) => name.startsWith(kind))) {
      const { body } = object;
      const lengths = [0, 1, 47, 48, body.length >> 1, body.length - 1].filter((length) => length < body.length);
      const bodies = [...lengths.map((length) => body.subarray(0, length)), Buffer.concat([body, Buffer.of(0)])];
      for (const other of bodies) {
        await assertNoticed(
          `${label} of ${other.length} bytes`,
          new Map(objects).set(label, { ...object, body: other }),
        );
      }
    }
  });

  it.each(kinds)('an object of %s in the place of another', { timeout: 30_000 }, async (kind) => {
    const labels = [...objects.keys()].filter((name) => name.startsWith(kind));
    for (const label of labels) {
      for (const [other, object] of objects) {
        if (other !== label) await assertNoticed(`${label} replaced by ${other}`, new Map(objects).set(label, object));
      }
    }
  });

  it.each(['config', 'index', 'packs'])('an object of %s that is gone', async (kind) => {
    for (const label of [...objects.keys()].filter((name) => name.startsWith(kind))) {
      const changed = new Map(objects);
      changed.delete(label);
      await assertNoticed(`${label} deleted`, changed);
    }
  });
});
