/** `error`: something is lost, damaged or wrong. `warning`: it may be, or was not looked at. `info`: good to know. */
export type FindingSeverity = 'error' | 'warning' | 'info';

/** What a finding can be about, with its severity. */
const FINDING_SEVERITY = {
  /** An entry of the log cannot be read, and what it committed is lost, or nobody appends behind it. */
  'entry-unreadable': 'error',
  /** An index segment cannot be read. */
  'segment-damaged': 'error',
  /** A pack has what archives need, and no readable index segment lists it. */
  'pack-not-listed': 'error',
  /** A pack that an index segment lists is absent. */
  'pack-missing': 'error',
  /** A pack is not, byte for byte, what was stored. */
  'pack-damaged': 'error',
  /** A pack holds something else than the index says. */
  'index-differs': 'error',
  /** A directory, or a list of chunks, cannot be read. */
  'tree-damaged': 'error',
  /** A file needs chunks that are nowhere. */
  'chunk-missing': 'error',
  /** A file needs chunks that are damaged wherever they are. */
  'chunk-damaged': 'error',
  /** A file needs chunks that are only in packs which are going to be removed. */
  'chunk-condemned': 'error',
  /** A file needs chunks of a damaged pack that this key cannot open. */
  'chunk-unverified': 'warning',
  /** The check found nothing that it could look at. */
  'nothing-checked': 'warning',
  /** There are more findings about paths than are told one by one. */
  'more-findings': 'warning',
  /** The key at hand opens no trees. */
  'trees-not-checked': 'info',
  /** The key at hand opens no file contents: only the bytes of packs were checked. */
  'contents-not-opened': 'info',
  /** The store does not let this client read packs. */
  'packs-not-read': 'info',
  /** A pack that nothing refers to: a run is under way, or was interrupted. */
  'unindexed-pack': 'info',
  /** The log says that the object is gone for ever, and it is still there. */
  'swept-object': 'info',
  /** An object is damaged or absent as an earlier check or repair noted in the log: nothing relies on it any more. */
  'damage-noted': 'info',
  /** The log could not be told of this check. */
  'check-not-recorded': 'info',
  /** Which packs were checked cannot be remembered on this machine. */
  'check-not-remembered': 'info',
} as const satisfies Record<string, FindingSeverity>;

export type FindingCode = keyof typeof FINDING_SEVERITY;

/** One thing that a check has to say. */
export interface Finding {
  readonly severity: FindingSeverity;
  readonly code: FindingCode;
  /** `KIND/NAME` of the object it is about. */
  readonly object?: string;
  /** Name of the archive that is affected. */
  readonly archive?: string;
  /** Its id, 32 hex digits. */
  readonly archiveId?: string;
  /** Path in the archive, made safe to show. */
  readonly path?: string;
  /** What was found. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

/** Findings that a report keeps; the callback gets every one. */
const KEPT_FINDINGS = 1_000;

/** Gathers findings and counts them. */
export class Findings {
  readonly kept: Finding[] = [];
  readonly counts: Record<FindingSeverity, number> = { error: 0, warning: 0, info: 0 };
  private readonly onFinding: ((finding: Finding) => void) | undefined;
  private readonly seen = new Set<string>();

  constructor(onFinding: ((finding: Finding) => void) | undefined) {
    this.onFinding = onFinding;
  }

  get total(): number {
    return this.counts.error + this.counts.warning + this.counts.info;
  }

  /** Adds a finding. One about an object without a path is told once, however often it is met. */
  add(code: FindingCode, finding: Omit<Finding, 'code' | 'severity'>): void {
    if (finding.path === undefined) {
      const name = `${code} ${finding.object ?? ''}`;
      if (this.seen.has(name)) return;
      this.seen.add(name);
    }
    const full = { severity: FINDING_SEVERITY[code], code, ...finding };
    this.counts[full.severity] += 1;
    if (this.kept.length < KEPT_FINDINGS) this.kept.push(full);
    this.onFinding?.(full);
  }
}
