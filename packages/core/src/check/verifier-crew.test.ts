import { beforeAll, describe, expect, it } from 'vitest';
import { nodeSuite } from '../crypto/node-suite.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, directoryNode, fileNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { loadZstd } from '../zstd/load.ts';
import { VerifierCrew } from './verifier-crew.ts';

/** The compiled crew: worker threads exist only there. Built with `npm run build`. */
const compiled = new URL('../../dist/check/verifier-crew.js', import.meta.url);

async function crewOf(threads: number): Promise<VerifierCrew> {
  const { VerifierCrew: Crew } =
    threads === 0 ? { VerifierCrew } : ((await import(compiled.href)) as { VerifierCrew: typeof VerifierCrew });
  return new Crew(nodeSuite, await loadZstd(), builder.keys, threads);
}

let builder: ArchiveBuilder;
let packs: [name: string, body: Uint8Array][];

beforeAll(async () => {
  const objects = new Map<string, MemoryObject>();
  builder = await ArchiveBuilder.create({ objects });
  const pieces = Array.from({ length: 12 }, (_, i) => pseudoRandomBytes(`piece ${i}`, 5000));
  await builder.commit([directoryNode('d', [fileNode('f', pieces)])], { packBytes: 12_000 });
  packs = [...objects]
    .filter(([label]) => label.startsWith('packs/'))
    .map(([label, { body }]) => [label.slice(6), body]);
});

describe.each([0, 1, 2])('VerifierCrew with %d threads', (threads) => {
  it('finds sound packs sound and damaged ones damaged', async () => {
    const crew = await crewOf(threads);
    try {
      const sound = await Promise.all(packs.map(([name, body]) => crew.verify(name, body.slice())));
      expect(sound.map(({ hashFits, damaged, unopened }) => [hashFits, damaged, unopened])).toEqual(
        packs.map(() => [true, [], 0]),
      );
      expect(sound.reduce((sum, { opened }) => sum + opened, 0)).toBe(12 + 2);
      const bad = await Promise.all(
        packs.map(([name, body]) => {
          const copy = body.slice();
          copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 1;
          return crew.verify(name, copy);
        }),
      );
      for (const { hashFits } of bad) expect(hashFits).toBe(false);
      expect(bad.some(({ damaged }) => damaged.length === 1)).toBe(true);
      const [[name]] = packs as [[string, Uint8Array]];
      expect(await crew.verify(name, new Uint8Array(3))).toMatchObject({
        hashFits: false,
        digest: undefined,
        opened: 0,
      });
    } finally {
      await crew.stop();
    }
  });

  it('leaves memory that others share alone', async () => {
    const crew = await crewOf(threads);
    try {
      const [[name, body]] = packs as [[string, Uint8Array]];
      const shared = Buffer.concat([Buffer.alloc(7), body, Buffer.alloc(9)]);
      const { hashFits } = await crew.verify(name, shared.subarray(7, 7 + body.length));
      expect(hashFits).toBe(true);
      expect(shared).toHaveLength(body.length + 16);
    } finally {
      await crew.stop();
    }
  });
});
