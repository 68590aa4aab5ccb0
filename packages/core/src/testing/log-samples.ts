import type { ArchiveDescriptor } from '../log/descriptor.ts';

/** A descriptor with something in every field but the root. */
export const SAMPLE_DESCRIPTOR: ArchiveDescriptor = {
  id: Buffer.alloc(16, 0xa1),
  series: 'home',
  name: 'home-2026-11-21T08-00-00Z',
  host: 'host',
  user: 'user',
  startNs: 1_795_248_000_123_456_789n,
  endNs: 1_795_248_001_000_000_000n,
  paths: [Buffer.from('/home')],
  root: Buffer.alloc(0),
  stats: { files: 1, directories: 2, others: 0, bytes: 5, newBytes: 5, storedBytes: 40, chunks: 2, newChunks: 2 },
  warnings: [['vanished', 1]],
  chunkerData: { min: 524_288, average: 1_048_576, max: 8_388_608 },
  chunkerTree: { min: 16_384, average: 65_536, max: 524_288 },
  parent: null,
  complete: true,
  program: 'test',
  tags: ['daily'],
  comment: '',
};
