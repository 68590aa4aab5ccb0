import { isCairnError } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import { childPath } from '../tree/archive-path.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { EMPTY_CONTENT } from '../tree/content.ts';
import { DirectoryReader, type EncodedEntry } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import type { Site } from './pending-entry.ts';
import type { Selection, SelectedDirectory } from './selection.ts';
import type { TargetDirectory } from './target-directory.ts';
import type { Turns } from '../flow/turns.ts';

/** An entry that was chosen, with where it goes. */
export interface ChosenEntry {
  readonly site: Site;
  readonly entry: TreeEntry;
  /** A view of the chunk that it lies in. */
  readonly encoded: Uint8Array;
}

/** What is done with the entries of a walk. */
export interface WalkVisitor {
  /**
   * Where the entries of a directory go.
   * @param path its archive path.
   * @param wanted for itself, not only for what may be below it.
   */
  enter(chosen: ChosenEntry, path: ByteString, wanted: boolean): TargetDirectory | undefined;
  /** An entry of a directory, whether it is chosen or not. */
  met?(directory: TargetDirectory, name: ByteString): void;
  /** May ask the walk to wait. */
  file(chosen: ChosenEntry): Promise<void> | undefined;
  other(chosen: ChosenEntry): void;
  /** Everything below it was visited. May ask the walk to wait. */
  leave(directory: TargetDirectory): Promise<void> | void;
  /** An entry, or the rest of a directory, that the repository cannot give. */
  damaged(path: ByteString, reason: string, directory: TargetDirectory): void;
  /** Called between entries, when others were let in. Throws to end the walk; may ask it to wait. */
  check(): Promise<void> | void;
}

interface Frame {
  readonly reader: DirectoryReader;
  readonly site: Site;
  readonly selected: SelectedDirectory;
}

/**
 * Walks an archive depth first, in name order. A directory that cannot be read is reported and the walk goes on beside it.
 * Rejects with `RIGHT_MISSING`, and when the store does not answer.
 */
export class ArchiveWalk {
  private readonly source: ChunkSource;
  private readonly selection: Selection;
  private readonly stripComponents: number;
  private readonly visitor: WalkVisitor;
  private readonly turns: Turns;
  private readonly stack: Frame[] = [];

  constructor(source: ChunkSource, selection: Selection, stripComponents: number, visitor: WalkVisitor, turns: Turns) {
    this.source = source;
    this.selection = selection;
    this.stripComponents = stripComponents;
    this.visitor = visitor;
    this.turns = turns;
  }

  /** @param root the archive's root entry. @param target where its entries go. */
  async run(root: TreeEntry, target: TargetDirectory): Promise<void> {
    this.push(root, { directory: target, path: '/' }, this.selection.root);
    for (let frame = this.stack.at(-1); frame !== undefined; frame = this.stack.at(-1)) {
      const turn = this.turns.yieldIfDue();
      if (turn !== undefined) await turn;
      const pause = this.visitor.check();
      if (pause !== undefined) await pause;
      const next = this.next(frame);
      if (next === 'more') await this.load(frame);
      else if (next === undefined) await this.pop(frame);
      else {
        const work = this.visit(frame, next);
        if (work !== undefined) await work;
      }
    }
  }

  private push(entry: TreeEntry, site: Site, selected: SelectedDirectory): void {
    const enters = (name: ByteString): boolean => this.selection.mayWant(selected, name);
    const reader = new DirectoryReader(this.source, entry.content ?? EMPTY_CONTENT, enters);
    this.stack.push({ reader, site, selected });
  }

  private pop({ site: { directory } }: Frame): Promise<void> | void {
    this.stack.pop();
    // Directories whose names are stripped share the target with the walk above them.
    if (this.stack.at(-1)?.site.directory !== directory) return this.visitor.leave(directory);
  }

  private next(frame: Frame): EncodedEntry | 'more' | undefined {
    try {
      return frame.reader.next();
    } catch (error) {
      this.reportDamage(frame.site.path, error, frame);
      return undefined;
    }
  }

  private async load(frame: Frame): Promise<void> {
    try {
      await frame.reader.load();
    } catch (error) {
      this.reportDamage(frame.site.path, error, frame);
      await this.pop(frame);
    }
  }

  private visit(frame: Frame, { name, bytes }: EncodedEntry): Promise<void> | undefined {
    this.visitor.met?.(frame.site.directory, name);
    if (!this.selection.mayWant(frame.selected, name)) return undefined;
    const path = childPath(frame.site.path, name);
    let entry: TreeEntry;
    try {
      entry = decodeEntry(bytes);
    } catch (error) {
      this.reportDamage(path, error, frame);
      return undefined;
    }
    const isDirectory = entry.kind === ENTRY_KIND.directory;
    const selected = this.selection.choose(frame.selected, name, path, isDirectory);
    if (selected === undefined) return undefined;
    const chosen = { site: frame.site, entry, encoded: bytes };
    const stripped = this.stack.length <= this.stripComponents;
    if (isDirectory) this.descend(chosen, path, selected, stripped);
    else if (!stripped && entry.kind === ENTRY_KIND.file) return this.visitor.file(chosen);
    else if (!stripped) this.visitor.other(chosen);
    return undefined;
  }

  private descend(chosen: ChosenEntry, path: ByteString, selected: SelectedDirectory, stripped: boolean): void {
    if (this.stack.length > LIMITS.treeDepth) {
      this.visitor.damaged(path, 'directories are nested too deeply', chosen.site.directory);
      return;
    }
    const wanted = selected.included && selected.names === undefined;
    const directory = stripped ? chosen.site.directory : this.visitor.enter(chosen, path, wanted);
    if (directory !== undefined) this.push(chosen.entry, { directory, path }, selected);
  }

  private reportDamage(path: ByteString, error: unknown, { site }: Frame): void {
    if (!isCairnError(error, 'CORRUPT') && !isCairnError(error, 'OBJECT_MISSING')) throw error;
    this.visitor.damaged(path, error.message, site.directory);
  }
}
