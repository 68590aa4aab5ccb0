import type { Finding, FindingCode } from './finding.ts';

/** What can be wrong with a part of a file. `unlisted`: the list of its chunks cannot be read. */
export type PartDamage = 'missing' | 'unlisted' | 'damaged' | 'condemned' | 'unverified';

interface Kind {
  readonly code: FindingCode;
  readonly what: string;
  readonly hint: string;
}

const LOST_HINT = 'Restore these parts from another archive, or copy the object back from another copy of the store.';
export const CONDEMNED_HINT = 'Do not compact. Back up the source again: a backup rescues the packs that it uses.';

/** The worst comes first. */
const KINDS: Readonly<Record<PartDamage, Kind>> = {
  missing: {
    code: 'chunk-missing',
    what: 'in no pack of the store',
    hint: LOST_HINT,
  },
  unlisted: {
    code: 'tree-damaged',
    what: 'not known: the list of its chunks is damaged',
    hint: LOST_HINT,
  },
  damaged: {
    code: 'chunk-damaged',
    what: 'damaged',
    hint: LOST_HINT,
  },
  condemned: {
    code: 'chunk-condemned',
    what: 'only in packs that are going to be removed',
    hint: CONDEMNED_HINT,
  },
  unverified: {
    code: 'chunk-unverified',
    what: 'in a damaged pack',
    hint: 'Run the check with a read key to learn whether they can still be opened.',
  },
};
const WORST_FIRST = Object.keys(KINDS) as readonly PartDamage[];

/** Adds up what is wrong with one file. */
export class FileDamage {
  private readonly bytes = new Map<PartDamage, number>();
  private object: string | undefined;

  get none(): boolean {
    return this.bytes.size === 0;
  }

  /** @param holder pack that the part is in or should be in. */
  add(kind: PartDamage, bytes: number, holder: string | undefined): void {
    this.bytes.set(kind, (this.bytes.get(kind) ?? 0) + bytes);
    this.object ??= holder;
  }

  /** What the worst of it is called. */
  get code(): FindingCode {
    return this.worst.code;
  }

  describe(): Pick<Finding, 'object' | 'message' | 'hint'> {
    const parts = WORST_FIRST.filter((kind) => this.bytes.has(kind));
    const message = parts
      .map((kind) => `${this.bytes.get(kind)} bytes of this file are ${KINDS[kind].what}`)
      .join('; ');
    return { message, hint: this.worst.hint, ...(this.object === undefined ? {} : { object: `packs/${this.object}` }) };
  }

  private get worst(): Kind {
    const worst = WORST_FIRST.find((kind) => this.bytes.has(kind));
    return KINDS[worst ?? 'missing'];
  }
}
