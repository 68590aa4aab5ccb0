import { invariant } from '../errors.ts';
import { NotedDamage } from './damage.ts';
import { Decisions, type ArchiveStanding, type Condemned, type Pin } from './decisions.ts';
import { originOf, type ArchiveDescriptor } from './descriptor.ts';
import type { LogEntry } from './kinds.ts';
import type { UnreadableArchive, UnreadableEntry } from './unreadable.ts';

/**
 * An archive as the log knows it. Times of entries that this process appended itself are by this machine's clock until the log
 * is opened again.
 */
export interface ArchiveRecord extends ArchiveStanding {
  /**
   * When the store received the COMMIT, milliseconds since 1970. For an archive that was rewritten from another one: when it
   * received that one, for as long as that is not live, so that retention puts the new one in the place of the old one.
   */
  readonly receivedMs: number;
  /** Its place among all archives: the slot of its COMMIT, or the place of the archive that it was rewritten from. */
  readonly order: number;
  readonly descriptor: ArchiveDescriptor;
  readonly name: string;
  readonly comment: string;
  readonly tags: readonly string[];
}

export interface PinRecord extends Pin {
  readonly holder: string;
}

/** Everything that was decided up to the head, with names and texts. Built only by `apply`, entry by entry. */
export class LogState {
  readonly archives = new Map<string, ArchiveRecord>();
  readonly pins = new Map<string, PinRecord>();
  /** What checks and repairs found to be damaged. */
  readonly damage = new NotedDamage();
  private readonly decisions = new Decisions();
  /** Archives that were rewritten from others: of each the id of its original, and of each original the ids of these. */
  private readonly origins = new Map<string, string>();
  private readonly heirs = new Map<string, readonly string[]>();
  /** Archives whose COMMIT cannot be read, and why. */
  private readonly unread = new Map<string, string>();

  /** Condemned and not rescued since. */
  get condemnedPacks(): ReadonlyMap<string, Condemned> {
    return this.decisions.condemnedPacks;
  }

  get condemnedSegments(): ReadonlyMap<string, Condemned> {
    return this.decisions.condemnedSegments;
  }

  /** Dead for ever, whatever a listing says. */
  get sweptPacks(): ReadonlySet<string> {
    return this.decisions.sweptPacks;
  }

  get sweptSegments(): ReadonlySet<string> {
    return this.decisions.sweptSegments;
  }

  /** Index segments that archives or compactions made, as far as they are not swept: these have to be there. */
  get segments(): ReadonlySet<string> {
    return this.decisions.segments;
  }

  /**
   * Applies the entry of slot `seq`. Rejects with `CORRUPT` when it breaks a rule of its kind here, and then changes nothing.
   * @param receivedMs when the store received it, milliseconds since 1970.
   */
  apply(seq: number, receivedMs: number, entry: LogEntry | UnreadableEntry): void {
    this.decisions.apply(seq, receivedMs, entry.kind === 'UNREADABLE' ? entry.decision : entry);
    switch (entry.kind) {
      case 'UNREADABLE':
        this.passOver(entry);
        return;
      case 'COMMIT': {
        const { archive, descriptor } = entry;
        const { name, comment, tags } = descriptor;
        const order = this.inherit(entry)?.order ?? seq;
        this.archives.set(archive, { ...this.standing(archive), order, descriptor, name, comment, tags });
        return;
      }
      case 'DELETE':
      case 'UNDELETE':
        this.follow(entry.archives);
        this.followHeirs(entry.archives);
        return;
      case 'ANNOTATE': {
        const { name, comment, tags } = entry;
        this.follow(entry.archives, {
          ...(name === null ? {} : { name }),
          ...(comment === null ? {} : { comment }),
          ...(tags === null ? {} : { tags }),
        });
        return;
      }
      case 'PIN': {
        const { pin, archives, until, holder } = entry;
        this.pins.set(pin, { archives, until, holder });
        return;
      }
      case 'UNPIN':
        this.pins.delete(entry.pin);
        return;
      case 'CONDEMN':
        this.follow(entry.dropped);
        return;
      case 'SWEEP':
        this.damage.forget(entry.packs, entry.segments);
        return;
      case 'CHECK':
        this.damage.take(
          entry.damage.filter(({ pack }) => !this.sweptPacks.has(pack)),
          entry.lostSegments.filter((name) => !this.sweptSegments.has(name)),
        );
        return;
      case 'INDEX':
      case 'RESCUE':
        return;
    }
  }

  /** Which rule of its kind the entry would break at the head (format page, section 4.6), or undefined. */
  violation(entry: LogEntry): string | undefined {
    return this.decisions.violation(entry);
  }

  /** Live archives, oldest COMMIT first. */
  live(): ArchiveRecord[] {
    return [...this.archives.values()].filter((archive) => archive.state === 'live');
  }

  /** Archives whose COMMIT cannot be read, whatever became of them; oldest first. */
  unreadable(): UnreadableArchive[] {
    return [...this.unread].map(([id, why]) => ({ ...this.standing(id), why }));
  }

  /** True when an archive of that id was ever committed: no other may be. */
  isTaken(id: string): boolean {
    return this.archives.has(id) || this.unread.has(id);
  }

  private passOver({ decision, why }: UnreadableEntry): void {
    if (decision.kind === 'COMMIT') this.unread.set(decision.archive, why);
    else if (decision.kind === 'PIN') {
      const { pin, archives, until } = decision;
      this.pins.set(pin, { archives, until, holder: '' });
    } else if (decision.kind === 'UNPIN') this.pins.delete(decision.pin);
  }

  /** Takes over what was decided about these archives, and the texts that an entry gave them. */
  private follow(ids: readonly string[], texts: Partial<ArchiveRecord> = {}): void {
    for (const id of ids) {
      const archive = this.archives.get(id);
      if (archive === undefined && this.unread.has(id)) continue;
      invariant(archive !== undefined, 'the rules were checked');
      this.archives.set(id, { ...archive, ...this.standing(id), ...texts });
    }
  }

  /** What was rewritten from these, and from that in turn. */
  private followHeirs(ids: readonly string[]): void {
    for (const id of ids) {
      const heirs = this.heirs.get(id) ?? [];
      this.follow(heirs);
      this.followHeirs(heirs);
    }
  }

  private standing(id: string): ArchiveStanding {
    const standing = this.decisions.archives.get(id);
    invariant(standing !== undefined, 'the decision was applied');
    const origin = this.archives.get(this.origins.get(id) ?? '');
    return origin === undefined || origin.state === 'live' ? standing : { ...standing, receivedMs: origin.receivedMs };
  }

  /**
   * The archive that a new one was rewritten from. It must be live, and the one that the new one takes chunks from: nobody
   * slips into the place of an archive that is gone.
   */
  private inherit({ archive, base, descriptor }: Extract<LogEntry, { kind: 'COMMIT' }>): ArchiveRecord | undefined {
    const origin = this.archives.get(base ?? '');
    if (origin?.state !== 'live' || originOf(descriptor) !== origin.id) return undefined;
    this.origins.set(archive, origin.id);
    this.heirs.set(origin.id, [...(this.heirs.get(origin.id) ?? []), archive]);
    return origin;
  }
}
