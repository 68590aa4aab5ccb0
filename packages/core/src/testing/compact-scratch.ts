import { restrict, type Rights } from '../crypto/capabilities.ts';
import { CHUNK_TYPE, ChunkIds } from '../crypto/chunk-crypto.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { systemEnvironment } from '../host/environment.ts';
import { toHex } from '../ids.ts';
import { putSegment } from '../index/put-segment.ts';
import { encodeSegment } from '../index/segment.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { encodePackHeader, PACK_RECORD_BYTES } from '../pack/layout.ts';
import { readPackHeader } from '../pack/read-header.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import { checkRepository, type Finding } from '../verbs/check.ts';
import { applyCompact, planCompact, type CompactOptions, type CompactReport } from '../verbs/compact.ts';
import { applyDelete, planDelete } from '../verbs/delete.ts';
import { ArchiveBuilder, fileNode, memoryClientState, type ArchiveNode } from './archive-builder.ts';
import { pseudoRandomBytes } from './pseudo-random.ts';

export const DAY_MS = 86_400_000;

/** Bytes of a piece of a file. */
const PIECE_BYTES = 3000;

/** Files by name, each as the seeds of its pieces; a piece is a chunk. */
export type Files = Readonly<Record<string, readonly string[]>>;

/** A repository in memory whose clock goes on only when it is told to. */
export class CompactScratch {
  readonly objects: Map<string, MemoryObject>;
  readonly store: MemoryStore;
  readonly builder: ArchiveBuilder;
  readonly environment: Environment;
  private readonly time: { ms: number };
  private readonly expected = new Map<string, Files>();

  private constructor(
    objects: Map<string, MemoryObject>,
    store: MemoryStore,
    builder: ArchiveBuilder,
    environment: Environment,
    time: { ms: number },
  ) {
    this.objects = objects;
    this.store = store;
    this.builder = builder;
    this.environment = environment;
    this.time = time;
  }

  static async create(): Promise<CompactScratch> {
    const objects = new Map<string, MemoryObject>();
    const time = { ms: Date.UTC(2026, 10, 21) };
    const clock = { nowNs: () => BigInt(time.ms) * 1_000_000n, monotonicMs: () => time.ms };
    const store = new MemoryStore(clock, objects);
    const builder = await ArchiveBuilder.create({ store });
    return new CompactScratch(objects, store, builder, { clock, random: systemEnvironment.random }, time);
  }

  advance(ms: number): void {
    this.time.ms += ms;
  }

  /** Opens the repository as a new process would. */
  open(options: { readonly rights?: Rights; readonly store?: ObjectStore } = {}): Promise<RepositoryAccess> {
    const { rights = 'root', store = this.store } = options;
    const { environment } = this;
    const keys = restrict(this.builder.keys, rights);
    return RepositoryAccess.open({ store, keys, suite: nodeSuite, environment, clientState: memoryClientState() });
  }

  /** Commits an archive; what the builder stored before is not stored again. */
  async commit(files: Files, builder = this.builder): Promise<ArchiveRecord> {
    const archive = await builder.commit(nodesOf(files));
    this.expected.set(archive.id, files);
    return archive;
  }

  async delete(...archives: readonly ArchiveRecord[]): Promise<void> {
    const access = await this.open();
    await applyDelete(access, planDelete(access, archives));
  }

  /** Plans and compacts with a key that maintains, in a process of its own. */
  async compact(options: CompactOptions = {}, store?: ObjectStore): Promise<CompactReport> {
    const access = await this.open({ rights: 'maintain', ...(store === undefined ? {} : { store }) });
    return await applyCompact(access, await planCompact(access, options));
  }

  /** Deletes archives, and does all that compacting them ever does. */
  async reclaim(...archives: readonly ArchiveRecord[]): Promise<void> {
    if (archives.length > 0) await this.delete(...archives);
    for (let round = 0; round < 2; round++) {
      this.advance(8 * DAY_MS);
      await this.compact();
    }
  }

  /** What an interrupted run leaves that put no segment: a pack. Resolves to its name. */
  async putUnlisted(): Promise<string> {
    const before = new Map(this.objects);
    await this.builder.secondWriter().commit(nodesOf({ orphan: [`orphan ${before.size}`] }));
    const added = [...this.objects.keys()].filter((key) => !before.has(key));
    const [kept = '', ...rest] = added.filter((key) => key.startsWith('packs/'));
    for (const key of [...rest, ...added.filter((other) => !other.startsWith('packs/'))]) this.objects.delete(key);
    return kept.slice('packs/'.length);
  }

  /**
   * Puts a pack that claims to hold the piece of that seed, sealed by the same run as that in the oldest pack, and holds
   * random bytes; and a segment that lists it. Resolves to its name.
   */
  async putJunkTwin(seed: string): Promise<string> {
    const access = await this.open();
    const { suite, config, store } = access;
    const keys = { repo: config.repo, loc: access.secret('loc', 'test') };
    const [victim = ''] = this.names('packs');
    const sizeBytes = this.objects.get(`packs/${victim}`)?.body.length ?? 0;
    const header = await readPackHeader({ store, suite, keys }, victim, sizeBytes, undefined);
    const id = new ChunkIds(suite, this.builder.keys).idOf(CHUNK_TYPE.data, pieceOf(seed));
    const at = header.records.indexOf(id) - 16;
    const records = Buffer.from(header.records.subarray(at, at + PACK_RECORD_BYTES));
    records.writeUInt32LE(0, 4);
    const { random } = this.environment;
    const head = encodePackHeader(suite, random, keys, { kind: header.kind, sessions: header.sessions, records });
    const object = Buffer.concat([head, random.bytes(sizeBytes)]);
    const name = toHex(suite.sha256(object));
    await store.put({ kind: 'packs', name }, object);
    const { kind, sessions } = header;
    const listing = { name, sizeBytes: object.length, dataStart: head.length, kind, sessions, records };
    await putSegment(access, encodeSegment(suite, random, keys, [listing]));
    return name;
  }

  count(kind: 'packs' | 'index' | 'log'): number {
    return this.names(kind).length;
  }

  names(kind: 'packs' | 'index' | 'log'): string[] {
    return [...this.objects.keys()]
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.slice(kind.length + 1));
  }

  /** What is wrong: errors and warnings of a check that reads everything, and archives that do not read as they were. */
  async mistakes(): Promise<string[]> {
    const access = await this.open();
    const { findings } = await checkRepository(access, { data: true, threads: 0 });
    const isWrong = ({ code, severity }: Finding): boolean => severity !== 'info' && code !== 'nothing-checked';
    const mistakes = findings.filter(isWrong).map(({ code, object, path }) => `${code} ${object ?? path ?? ''}`);
    return [...mistakes, ...(await this.unreadable(access))];
  }

  /** Archives that do not read as they were committed. */
  async unreadable(access: RepositoryAccess): Promise<string[]> {
    const mistakes: string[] = [];
    for (const [id, files] of this.expected) {
      const archive = access.log.state.archives.get(id);
      if (archive === undefined) mistakes.push(`archive ${id} is not known`);
      else if (archive.state !== 'dropped') mistakes.push(...(await differences(access, archive, files)));
    }
    return mistakes;
  }
}

export function nodesOf(files: Files): ArchiveNode[] {
  return Object.entries(files).map(([name, seeds]) => fileNode(name, seeds.map(pieceOf)));
}

function pieceOf(seed: string): Uint8Array {
  return pseudoRandomBytes(seed, PIECE_BYTES);
}

async function differences(access: RepositoryAccess, archive: ArchiveRecord, files: Files): Promise<string[]> {
  const found: string[] = [];
  const view = new ArchiveView(await access.chunkReader(), archive);
  const left = new Set(Object.keys(files));
  try {
    for await (const { path, entry } of view.walk('/')) {
      if (entry.kind !== ENTRY_KIND.file) continue;
      const parts: Uint8Array[] = [];
      for await (const part of view.read(path)) parts.push(part);
      const name = path.slice(1);
      left.delete(name);
      if (!Buffer.concat(parts).equals(Buffer.concat((files[name] ?? []).map(pieceOf)))) found.push(`${path} differs`);
    }
  } catch (error) {
    found.push(`${archive.id}: ${String(error)}`);
  }
  return [...found, ...[...left].map((name) => `${name} is missing`)];
}
