import { CHUNK_TYPE, type ChunkType } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { IdSet } from '../index/id-set.ts';
import { LIMITS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { childPath } from '../tree/archive-path.ts';
import { CONTENT_RECORD_BYTES, decodeChunkList, type ContentReference } from '../tree/content.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { DirectoryReader } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { isDamage, type CheckContext } from './context.ts';
import { CONDEMNED_HINT, FileDamage } from './file-damage.ts';
import type { Inventory } from './inventory.ts';

/** Findings about paths that are told one by one. Beyond, damaged directories are looked at once, not in every archive. */
const PATH_FINDINGS = 500;

interface OpenDirectory {
  readonly path: ByteString;
  readonly key: Uint8Array;
  readonly reader: DirectoryReader;
  /** Nothing wrong was found in it or below it so far. */
  clean: boolean;
}

/**
 * Walks archives and asks of every chunk that they need whether it can be had. Trees are read, contents are not. What is
 * the same in several archives is walked once, unless something is wrong with it: then each archive is told of.
 */
export class TreeCheck {
  private readonly context: CheckContext;
  private readonly inventory: Inventory;
  /** Directories and chunk lists with nothing wrong in them or below them. */
  private readonly clean = new IdSet();
  /** The chunks of trees. Counts those that are only in packs which are going to be removed. */
  private readonly trees: ChunkSource;
  private condemnedReads = 0;
  private archive: ArchiveRecord | undefined;
  private untold = 0;
  private told = 0;
  private readonly affectedArchives = new Set<string>();
  /** References to chunks that were judged. */
  references = 0;
  entries = 0;

  constructor(context: CheckContext, inventory: Inventory) {
    this.context = context;
    this.inventory = inventory;
    this.trees = {
      get ahead() {
        return inventory.ahead;
      },
      chunk: async (type, id) => {
        if (await this.isCondemned(type, id)) this.condemnedReads += 1;
        return await inventory.chunk(type, id);
      },
    };
  }

  /** Archives and paths in them that something is wrong with; at least. */
  get affected(): { readonly archives: number; readonly paths: number } {
    return { archives: this.affectedArchives.size, paths: this.told + this.untold };
  }

  /** Walks one archive. Rejects only when the store cannot be read. */
  async check(archive: ArchiveRecord): Promise<void> {
    this.archive = archive;
    const stack: OpenDirectory[] = [];
    try {
      await this.entry(stack, '/', decodeEntry(archive.descriptor.root, true));
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.treeDamage('/', error.message);
    }
    for (let open = stack.at(-1); open !== undefined && !this.isDropped; open = stack.at(-1)) {
      let isOver: boolean;
      try {
        isOver = await this.step(stack, open);
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.treeDamage(open.path, error.message);
        open.clean = false;
        isOver = true;
      }
      if (!isOver) continue;
      stack.pop();
      const parent = stack.at(-1);
      if (open.clean || this.told >= PATH_FINDINGS) this.clean.add(open.key);
      if (parent !== undefined) parent.clean &&= open.clean;
    }
  }

  /** Tells how much was not told. */
  finish(): void {
    if (this.untold === 0) return;
    this.context.findings.add('more-findings', {
      message: `${this.untold} more paths are affected`,
      hint: 'Restoring an archive names all of its files that are affected.',
    });
  }

  /** Takes one entry of a directory, or reads more of it. True when that is all. */
  private async step(stack: OpenDirectory[], open: OpenDirectory): Promise<boolean> {
    const encoded = open.reader.next();
    if (encoded === undefined) return true;
    if (encoded !== 'more') {
      const isSound = await this.entry(stack, childPath(open.path, encoded.name), decodeEntry(encoded.bytes));
      open.clean &&= isSound;
      return false;
    }
    throwIfCancelled(this.context.signal, 'check');
    const before = this.condemnedReads;
    await open.reader.load();
    if (this.condemnedReads > before) this.condemnedDirectory(open);
    return false;
  }

  /** False when something is wrong with the entry itself. */
  private async entry(stack: OpenDirectory[], path: ByteString, entry: TreeEntry): Promise<boolean> {
    this.entries += 1;
    const { content } = entry;
    if (content === null || content.length === 0) return true;
    if (entry.kind === ENTRY_KIND.file) return this.isSound(content) || (await this.file(path, content));
    const key = this.keyOf(content);
    if (this.clean.has(key)) return true;
    if (stack.length >= LIMITS.treeDepth) {
      this.treeDamage(path, 'directories are nested too deeply');
      return false;
    }
    const enters = (_: string, below: ContentReference): boolean => !this.clean.has(this.keyOf(below));
    stack.push({ path, key, reader: new DirectoryReader(this.trees, content, enters), clean: true });
    return true;
  }

  /** True when a glance at the index is enough: the usual case, without a promise. */
  private isSound({ level, records }: ContentReference): boolean {
    if (level > 0) return this.clean.has(records) && records.length === CONTENT_RECORD_BYTES;
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      if (this.inventory.judge(CHUNK_TYPE.data, records.subarray(at, at + 32)) !== 'sound') return false;
    }
    this.references += records.length / CONTENT_RECORD_BYTES;
    return true;
  }

  private async file(path: ByteString, content: ContentReference): Promise<boolean> {
    for (;;) {
      const damage = new FileDamage();
      await this.records(damage, content.level, content.records);
      if (damage.none) return true;
      // What is only counted is not worth a look at the log for each file.
      if (this.told < PATH_FINDINGS && (await this.inventory.catchUp())) continue;
      const { findings } = this.context;
      this.tell(() => findings.add(damage.code, { ...this.where(path), ...damage.describe() }));
      return false;
    }
  }

  /** Judges the chunks of a run of records, and reads the chunk lists among them. True when all are sound. */
  private async records(damage: FileDamage, level: number, records: Buffer): Promise<boolean> {
    let sound = true;
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      const id = records.subarray(at, at + 32);
      const length = Number(records.readBigUInt64LE(at + 32));
      if (level === 0) sound = (await this.chunk(damage, id, length)) && sound;
      else if (!this.clean.has(id)) {
        const below = await this.list(damage, level - 1, id, length);
        if (below) this.clean.add(id);
        sound = below && sound;
      }
    }
    return sound;
  }

  private async chunk(damage: FileDamage, id: Uint8Array, length: number): Promise<boolean> {
    this.references += 1;
    const type = CHUNK_TYPE.data;
    let judgement = this.inventory.judge(type, id);
    if (judgement === 'missing') judgement = await this.inventory.judgeUnlisted(type, id);
    if (judgement === 'sound') return true;
    if (judgement !== 'suspect') damage.add(judgement, length, this.inventory.holder(id));
    else {
      const found = await this.tryChunk(type, id);
      if (found === 'sound') return true;
      damage.add(found, length, this.inventory.holder(id));
    }
    return false;
  }

  /** Opens a chunk of a pack of which it is not known what in it is damaged. */
  private async tryChunk(type: ChunkType, id: Uint8Array): Promise<'sound' | 'damaged' | 'unverified'> {
    try {
      await this.inventory.chunk(type, id);
      return 'sound';
    } catch (error) {
      if (isCairnError(error, 'RIGHT_MISSING')) return 'unverified';
      if (!isDamage(error)) throw error;
      return 'damaged';
    }
  }

  private async list(damage: FileDamage, level: number, id: Uint8Array, length: number): Promise<boolean> {
    try {
      const before = this.condemnedReads;
      const bytes = await this.trees.chunk(CHUNK_TYPE.list, id);
      decodeChunkList(bytes, length, level);
      const condemned = this.condemnedReads > before;
      if (condemned) damage.add('condemned', length, this.inventory.holder(id));
      const below = await this.records(damage, level, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return below && !condemned;
    } catch (error) {
      if (!isDamage(error)) throw error;
      damage.add('unlisted', length, this.inventory.holder(id));
      return false;
    }
  }

  /** Whether a chunk is only in packs that are going to be removed, also by what the log says now. */
  private async isCondemned(type: ChunkType, id: Uint8Array): Promise<boolean> {
    while (this.inventory.judge(type, id) === 'condemned') if (!(await this.inventory.catchUp())) return true;
    return false;
  }

  /** Whether a collector dropped the archive since the check began: then it need not have anything. */
  private get isDropped(): boolean {
    return this.context.access.log.state.archives.get(this.archive?.id ?? '')?.state === 'dropped';
  }

  private treeDamage(path: ByteString, how: string): void {
    this.tell(() =>
      this.context.findings.add('tree-damaged', {
        ...this.where(path),
        message: `this directory cannot be read to its end: ${how}`,
        hint: 'Entries that come after the damage cannot be restored from this archive; other archives may have them.',
      }),
    );
  }

  private condemnedDirectory(open: OpenDirectory): void {
    open.clean = false;
    this.tell(() =>
      this.context.findings.add('chunk-condemned', {
        ...this.where(open.path),
        message: 'a part of this directory is only in packs that are going to be removed',
        hint: CONDEMNED_HINT,
      }),
    );
  }

  private tell(finding: () => void): void {
    if (this.isDropped) return;
    if (this.archive !== undefined) this.affectedArchives.add(this.archive.id);
    if (this.told >= PATH_FINDINGS) this.untold += 1;
    else {
      this.told += 1;
      finding();
    }
  }

  private where(path: ByteString): { readonly archive: string; readonly archiveId: string; readonly path: string } {
    return { archive: this.archive?.name ?? '', archiveId: this.archive?.id ?? '', path: displayName(path) };
  }

  /** Stands for a content: the id of its one chunk or list, else a hash of all its records. */
  private keyOf({ level, records }: ContentReference): Uint8Array {
    if (records.length === CONTENT_RECORD_BYTES) return records.subarray(0, 32);
    return this.context.access.suite.sha256(Uint8Array.of(level), records);
  }
}
