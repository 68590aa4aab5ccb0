import { CairnError, invariant } from '../errors.ts';
import type { ArchiveDescriptor } from './descriptor.ts';
import type { LogEntry } from './kinds.ts';

/** An archive as the log knows it. */
export interface ArchiveRecord {
  /** 32 hex digits. */
  readonly id: string;
  /** Slot of its COMMIT. */
  readonly seq: number;
  /** When the store received the COMMIT, milliseconds since 1970 by the store's clock; 0 when not known. */
  readonly receivedMs: number;
  readonly descriptor: ArchiveDescriptor;
  readonly name: string;
  readonly comment: string;
  readonly tags: readonly string[];
  readonly protect: boolean;
  /** live; deleted (hidden, can be brought back); dropped (no longer a root). */
  readonly state: 'live' | 'deleted' | 'dropped';
}

export interface PinRecord {
  readonly archives: readonly string[];
  readonly until: bigint;
  readonly holder: string;
}

/** Everything that was decided up to the head. Built only by `apply`, entry by entry. */
export class LogState {
  readonly archives = new Map<string, ArchiveRecord>();
  readonly pins = new Map<string, PinRecord>();
  /** Condemned and not rescued since: object name to the slot of the CONDEMN. */
  readonly condemnedPacks = new Map<string, number>();
  readonly condemnedSegments = new Map<string, number>();
  /** Dead for ever, whatever a listing says. */
  readonly sweptPacks = new Set<string>();
  readonly sweptSegments = new Set<string>();
  private readonly usedPins = new Set<string>();

  /**
   * Applies the entry of slot `seq`. Rejects with `CORRUPT` when it breaks a rule of its kind here, and then changes nothing:
   * an honest writer checks before it appends, so the store is damaged or hostile.
   */
  apply(seq: number, receivedMs: number, entry: LogEntry): void {
    const how = this.violation(entry);
    if (how !== undefined) {
      throw new CairnError('CORRUPT', `log entry ${seq} breaks a rule: ${how}`, {
        hint: 'The repository was written by a faulty or hostile program. Do not write to it; run `cairn check`.',
      });
    }
    switch (entry.kind) {
      case 'COMMIT':
        this.rescue(entry.rescuedPacks, entry.rescuedSegments);
        this.archives.set(entry.archive, newArchive(seq, receivedMs, entry));
        return;
      case 'DELETE':
      case 'UNDELETE':
        this.change(entry.archives, { state: entry.kind === 'DELETE' ? 'deleted' : 'live' });
        return;
      case 'ANNOTATE': {
        const { name, comment, tags, protect } = entry;
        this.change(entry.archives, {
          ...(name === null ? {} : { name }),
          ...(comment === null ? {} : { comment }),
          ...(tags === null ? {} : { tags }),
          ...(protect === null ? {} : { protect }),
        });
        return;
      }
      case 'PIN':
        this.usedPins.add(entry.pin);
        this.pins.set(entry.pin, entry);
        return;
      case 'UNPIN':
        this.pins.delete(entry.pin);
        return;
      case 'CONDEMN':
        this.change(entry.dropped, { state: 'dropped' });
        for (const name of entry.packs) if (!this.condemnedPacks.has(name)) this.condemnedPacks.set(name, seq);
        for (const name of entry.segments) if (!this.condemnedSegments.has(name)) this.condemnedSegments.set(name, seq);
        return;
      case 'SWEEP':
        this.rescue(entry.packs, entry.segments);
        for (const name of entry.packs) this.sweptPacks.add(name);
        for (const name of entry.segments) this.sweptSegments.add(name);
        return;
      case 'RESCUE':
        this.rescue(entry.packs, entry.segments);
        return;
      case 'INDEX':
      case 'CHECK':
        return;
    }
  }

  /** Which rule of its kind the entry would break at the head (format page, section 4.6), or undefined. */
  violation(entry: LogEntry): string | undefined {
    switch (entry.kind) {
      case 'COMMIT':
        if (this.archives.has(entry.archive)) return 'an archive id is used twice';
        if (entry.base !== null && !this.isRoot(entry.base)) return 'it builds on an archive that is not there';
        return this.rescueViolation(entry.rescuedPacks, entry.rescuedSegments);
      case 'DELETE':
      case 'UNDELETE':
        return entry.archives.every((id) => this.isRoot(id)) ? undefined : 'it names an archive that is not there';
      case 'ANNOTATE':
        return entry.archives.every((id) => this.archives.has(id)) ? undefined : 'it names an archive that never was';
      case 'PIN':
        if (this.usedPins.has(entry.pin)) return 'a pin id is used twice';
        return entry.archives.every((id) => this.isRoot(id)) ? undefined : 'it pins an archive that is not there';
      case 'UNPIN':
        return this.pins.has(entry.pin) ? undefined : 'it ends a pin that does not exist';
      case 'CONDEMN': {
        const deleted = entry.dropped.every((id) => this.archives.get(id)?.state === 'deleted');
        if (deleted && isDistinct(entry.dropped)) return undefined;
        return 'it drops an archive that is not deleted';
      }
      case 'SWEEP': {
        const packs = entry.packs.every((name) => this.condemnedPacks.has(name));
        const segments = entry.segments.every((name) => this.condemnedSegments.has(name));
        if (packs && segments && isDistinct(entry.packs) && isDistinct(entry.segments)) return undefined;
        return 'it sweeps an object that is not condemned';
      }
      case 'RESCUE':
        return this.rescueViolation(entry.packs, entry.segments);
      case 'INDEX':
      case 'CHECK':
        return undefined;
    }
  }

  private rescueViolation(packs: readonly string[], segments: readonly string[]): string | undefined {
    const swept =
      packs.some((name) => this.sweptPacks.has(name)) || segments.some((name) => this.sweptSegments.has(name));
    return swept ? 'it rescues a swept object' : undefined;
  }

  private change(ids: readonly string[], change: Partial<ArchiveRecord>): void {
    for (const id of ids) {
      const archive = this.archives.get(id);
      invariant(archive !== undefined, 'the rules were checked');
      this.archives.set(id, { ...archive, ...change });
    }
  }

  private rescue(packs: readonly string[], segments: readonly string[]): void {
    for (const name of packs) this.condemnedPacks.delete(name);
    for (const name of segments) this.condemnedSegments.delete(name);
  }

  /** True for an archive that was committed and never dropped. */
  private isRoot(id: string): boolean {
    const archive = this.archives.get(id);
    return archive !== undefined && archive.state !== 'dropped';
  }

  /** Live archives, oldest COMMIT first. */
  live(): ArchiveRecord[] {
    return [...this.archives.values()].filter((archive) => archive.state === 'live');
  }
}

function newArchive(seq: number, receivedMs: number, commit: Extract<LogEntry, { kind: 'COMMIT' }>): ArchiveRecord {
  const { archive: id, descriptor } = commit;
  const { name, comment, tags } = descriptor;
  return { id, seq, receivedMs, descriptor, name, comment, tags, protect: false, state: 'live' };
}

/** The names of an entry are taken in turn: what was dropped or swept once cannot be so again. */
function isDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
