// @ts-check
/**
 * What a command costs when the repository is very large: index segments for millions of chunks and a log of thousands of
 * archives, made without the content, then the commands that read them, measured.
 *
 *   node bench/scale.mjs [--chunks 10000000] [--archives 10000]
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  DirectoryStore,
  encodeKeyFileText,
  nodeSuite,
  Repository,
  systemEnvironment,
} from '../packages/core/dist/index.js';
import { encodeSegment } from '../packages/core/dist/index/segment.js';
import { PACK_KIND, PACK_RECORD_BYTES, packDataStart, writePackRecord } from '../packages/core/dist/pack/layout.js';
import { measure, storedBytes } from './measure.mjs';

/** Chunks of a pack, and packs of a segment: about what a backup of large files makes. */
const CHUNKS_OF_PACK = 24;
const PACKS_OF_SEGMENT = 10_000;
const CHUNK_BYTES = 700_000;

const cairn = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));

/** @param {string} directory @param {number} chunks @param {number} archives */
async function makeRepository(directory, chunks, archives) {
  const place = path.join(directory, 'repository');
  const store = await DirectoryStore.create(place);
  const source = path.join(directory, 'source');
  mkdirSync(source);
  writeFileSync(path.join(source, 'file'), 'one small file\n');
  const { repository, keys } = await Repository.create(store);
  const { archive } = await repository.backup({ paths: [source], series: 'scale', threads: 0 });
  await addSegments(repository, chunks);
  await addArchives(repository, archive.descriptor, archives);
  return { place, source, keys };
}

/** @param {Repository} repository @param {number} chunks */
async function addSegments({ access }, chunks) {
  const { repo, loc } = access.keys;
  if (repo === undefined || loc === undefined) throw new Error('the root key has every secret');
  const session = { sid: randomBytes(16), epk: randomBytes(32) };
  for (let made = 0; made < chunks;) {
    const packs = [];
    for (let i = 0; i < PACKS_OF_SEGMENT && made < chunks; i++, made += CHUNKS_OF_PACK) {
      const records = Buffer.alloc(PACK_RECORD_BYTES * CHUNKS_OF_PACK);
      for (let n = 0; n < CHUNKS_OF_PACK; n++) {
        const sizes = { offset: CHUNK_BYTES * n, storedLength: CHUNK_BYTES, rawLength: CHUNK_BYTES };
        writePackRecord(records, n, { type: 1, session: 0, ...sizes, id: randomBytes(32) });
      }
      const dataStart = packDataStart(1, CHUNKS_OF_PACK);
      const sizeBytes = dataStart + CHUNK_BYTES * CHUNKS_OF_PACK;
      const name = randomBytes(32).toString('hex');
      packs.push({ name, sizeBytes, dataStart, kind: PACK_KIND.data, sessions: [session], records });
    }
    const object = encodeSegment(nodeSuite, systemEnvironment.random, { repo, loc }, packs);
    await access.store.put({ kind: 'index', name: Buffer.from(nodeSuite.sha256(object)).toString('hex') }, object);
  }
}

/** @param {Repository} repository @param {import('../packages/core/dist/index.js').ArchiveDescriptor} like @param {number} archives */
async function addArchives({ access }, like, archives) {
  const day = 86_400_000_000_000n;
  for (let i = 1; i < archives; i++) {
    const id = randomBytes(16);
    const startNs = like.startNs - day * BigInt(archives - i);
    const descriptor = { ...like, id, name: `scale-${i}`, startNs, endNs: startNs, parent: null };
    await access.log.append(() => ({
      kind: 'COMMIT',
      archive: id.toString('hex'),
      base: null,
      segments: [],
      rescuedPacks: [],
      rescuedSegments: [],
      descriptor,
    }));
  }
}

async function main() {
  const { values } = parseArgs({
    options: { chunks: { type: 'string', default: '10000000' }, archives: { type: 'string', default: '10000' } },
  });
  const chunks = Number(values.chunks);
  const archives = Number(values.archives);
  if (!(chunks >= 0 && archives >= 1)) throw new Error('--chunks and --archives take numbers');
  const directory = mkdtempSync(path.join(process.env['BENCH_DIR'] ?? os.tmpdir(), 'cairn-scale-'));
  try {
    const { place, source, keys } = await makeRepository(directory, chunks, archives);
    const keyFile = path.join(directory, 'root.key');
    writeFileSync(
      keyFile,
      encodeKeyFileText(nodeSuite, keys, { createdNs: systemEnvironment.clock.nowNs(), label: '' }),
      { mode: 0o600 },
    );
    const env = { ...stringEnvironment(), HOME: directory, XDG_STATE_HOME: directory, XDG_CACHE_HOME: directory };
    const run = (/** @type {string} */ label, /** @type {string[]} */ ...args) => {
      const argv = [process.execPath, cairn, '-r', place, '--key-file', keyFile, ...args];
      const { wall, user, sys, rss } = measure({ argv, env }, directory);
      const seconds = (/** @type {number} */ s) => s.toFixed(2);
      console.log(`| ${label} | ${seconds(wall)} | ${seconds(user + sys)} | ${Math.round(rss / 1e6)} |`);
    };
    console.log(`${chunks} chunks in the index, ${archives} archives in the log\n`);
    for (const part of ['index', 'log']) {
      console.log(`- ${part}: ${(storedBytes(path.join(place, part)) / 1e6).toFixed(0)} MB`);
    }
    console.log('\n| command | s | processor s | MB |\n| --- | --- | --- | --- |');
    run('list, first time', 'list', '--json');
    run('list', 'list', '--json');
    run('backup of one small file, first', 'backup', '--series', 'other', source);
    run('backup of one small file, unchanged', 'backup', '--series', 'other', source);
    run('cat of that file', 'cat', 'other@latest', path.join(source, 'file'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @returns {Record<string, string>} */
function stringEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

await main();
