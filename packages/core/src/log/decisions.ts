import { CairnError, invariant } from '../errors.ts';
import type { Decision } from './decision.ts';

/** An archive as far as the public half of the log tells. All times are the store's. */
export interface ArchiveStanding {
  /** 32 hex digits. */
  readonly id: string;
  /** Slot of its COMMIT. */
  readonly seq: number;
  /** When the store received the COMMIT, milliseconds since 1970. */
  readonly receivedMs: number;
  /** live; deleted (hidden, can be brought back); dropped (no longer a root). */
  readonly state: 'live' | 'deleted' | 'dropped';
  readonly protect: boolean;
  /**
   * When the store received the DELETE with which the present deletion began, milliseconds since 1970: its grace counts from
   * there. undefined while it is live.
   */
  readonly deletedMs: number | undefined;
}

/** Since when an object is condemned without a break. */
export interface Condemned {
  /** Slot of the first CONDEMN since the last rescue. */
  readonly seq: number;
  /** When the store received it, milliseconds since 1970. */
  readonly sinceMs: number;
}

/** A pin that has not ended by an UNPIN; whether its time is over is for whoever has the store's clock. */
export interface Pin {
  readonly archives: readonly string[];
  /** Nanoseconds since 1970, by the store's clock. */
  readonly until: bigint;
}

/**
 * Everything that was decided up to the head, and the rules of the log (format page, section 4.6). Needs no key: what a server
 * keeps, and what `LogState` is built on. Built only by `apply`, entry by entry.
 */
export class Decisions {
  readonly archives = new Map<string, ArchiveStanding>();
  readonly pins = new Map<string, Pin>();
  /** Condemned and not rescued since. */
  readonly condemnedPacks = new Map<string, Condemned>();
  readonly condemnedSegments = new Map<string, Condemned>();
  /** Dead for ever, whatever a listing says. */
  readonly sweptPacks = new Set<string>();
  readonly sweptSegments = new Set<string>();
  /** Named by a COMMIT or INDEX and not swept: what has to be there. */
  readonly segments = new Set<string>();
  private readonly usedPins = new Set<string>();

  /**
   * Applies the entry of slot `seq`. Rejects with `CORRUPT` when it breaks a rule of its kind here, and then changes nothing:
   * an honest writer checks before it appends, so the store is damaged or hostile.
   * @param receivedMs when the store received it, milliseconds since 1970.
   */
  apply(seq: number, receivedMs: number, decision: Decision): void {
    const how = this.violation(decision);
    if (how !== undefined) {
      throw new CairnError('CORRUPT', `log entry ${seq} breaks a rule: ${how}`, {
        hint: 'The repository was written by a faulty or hostile program. Do not write to it; run `cairn check`.',
      });
    }
    switch (decision.kind) {
      case 'COMMIT': {
        const { archive: id, rescuedPacks, rescuedSegments } = decision;
        this.rescue(rescuedPacks, rescuedSegments);
        this.name(decision.segments);
        this.archives.set(id, { id, seq, receivedMs, state: 'live', protect: false, deletedMs: undefined });
        return;
      }
      case 'DELETE':
        this.change(decision.archives, ({ deletedMs = receivedMs }) => ({ state: 'deleted', deletedMs }));
        return;
      case 'UNDELETE':
        this.change(decision.archives, () => ({ state: 'live', deletedMs: undefined }));
        return;
      case 'ANNOTATE':
        this.change(decision.archives, ({ protect }) => ({ protect: decision.protect ?? protect }));
        return;
      case 'PIN': {
        const { pin, archives, until } = decision;
        this.usedPins.add(pin);
        this.pins.set(pin, { archives, until });
        return;
      }
      case 'UNPIN':
        this.pins.delete(decision.pin);
        return;
      case 'CONDEMN':
        this.change(decision.dropped, () => ({ state: 'dropped' }));
        condemn(this.condemnedPacks, decision.packs, { seq, sinceMs: receivedMs });
        condemn(this.condemnedSegments, decision.segments, { seq, sinceMs: receivedMs });
        return;
      case 'SWEEP':
        this.rescue(decision.packs, decision.segments);
        for (const name of decision.packs) this.sweptPacks.add(name);
        for (const name of decision.segments) {
          this.sweptSegments.add(name);
          this.segments.delete(name);
        }
        return;
      case 'RESCUE':
        this.rescue(decision.packs, decision.segments);
        return;
      case 'INDEX':
        this.name(decision.segments);
        return;
      case 'CHECK':
        return;
    }
  }

  /**
   * Which rule of its kind the decision would break at the head (format page, section 4.6), or undefined. What is dropped is no
   * base and does not come back, ids are used once, and what is swept is not rescued (rules R5, R6, R7).
   */
  violation(decision: Decision): string | undefined {
    switch (decision.kind) {
      case 'COMMIT':
        if (this.archives.has(decision.archive)) return 'an archive id is used twice';
        if (decision.base !== null && !this.isRoot(decision.base)) return 'it builds on an archive that is not there';
        return this.rescueViolation(decision.rescuedPacks, decision.rescuedSegments);
      case 'DELETE':
      case 'UNDELETE':
        return decision.archives.every((id) => this.isRoot(id)) ? undefined : 'it names an archive that is not there';
      case 'ANNOTATE':
        return decision.archives.every((id) => this.archives.has(id))
          ? undefined
          : 'it names an archive that never was';
      case 'PIN':
        if (this.usedPins.has(decision.pin)) return 'a pin id is used twice';
        return decision.archives.every((id) => this.isRoot(id)) ? undefined : 'it pins an archive that is not there';
      case 'UNPIN':
        return this.pins.has(decision.pin) ? undefined : 'it ends a pin that does not exist';
      case 'CONDEMN': {
        const deleted = decision.dropped.every((id) => this.archives.get(id)?.state === 'deleted');
        if (deleted && isDistinct(decision.dropped)) return undefined;
        return 'it drops an archive that is not deleted';
      }
      case 'SWEEP': {
        const packs = decision.packs.every((name) => this.condemnedPacks.has(name));
        const segments = decision.segments.every((name) => this.condemnedSegments.has(name));
        if (packs && segments && isDistinct(decision.packs) && isDistinct(decision.segments)) return undefined;
        return 'it sweeps an object that is not condemned';
      }
      case 'RESCUE':
        return this.rescueViolation(decision.packs, decision.segments);
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

  private change(ids: readonly string[], to: (was: ArchiveStanding) => Partial<ArchiveStanding>): void {
    for (const id of ids) {
      const archive = this.archives.get(id);
      invariant(archive !== undefined, 'the rules were checked');
      this.archives.set(id, { ...archive, ...to(archive) });
    }
  }

  private rescue(packs: readonly string[], segments: readonly string[]): void {
    for (const name of packs) this.condemnedPacks.delete(name);
    for (const name of segments) this.condemnedSegments.delete(name);
  }

  private name(segments: readonly string[]): void {
    for (const name of segments) if (!this.sweptSegments.has(name)) this.segments.add(name);
  }

  /** True for an archive that was committed and never dropped. */
  private isRoot(id: string): boolean {
    const archive = this.archives.get(id);
    return archive !== undefined && archive.state !== 'dropped';
  }
}

/** What is condemned already stays so since then. */
function condemn(objects: Map<string, Condemned>, names: readonly string[], condemned: Condemned): void {
  for (const name of names) if (!objects.has(name)) objects.set(name, condemned);
}

/** The names of an entry are taken in turn: what was dropped or swept once cannot be so again. */
function isDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
