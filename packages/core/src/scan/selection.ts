import { CairnError } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';
import { ExcludeRules } from './exclude.ts';
import { parseExcludeFile } from './exclude-file.ts';
import { bytesOfText } from './path-text.ts';
import type { Origin, RuleSource } from './pattern.ts';
import { presetNamed } from './presets.ts';
import { CACHEDIR_TAG_NAME, isCacheDirTag } from './tags.ts';

/** What to leave out. Presets come first, then files, then excludes: the last rule that matches decides. */
export interface SelectionOptions {
  /** Patterns given as options. */
  readonly excludes?: readonly string[];
  readonly presets?: readonly string[];
  /** Exclude files, already read; the name is for messages. */
  readonly excludeFiles?: readonly { readonly name: string; readonly content: Uint8Array }[];
  /** Leave out what is in directories with a valid `CACHEDIR.TAG`. */
  readonly excludeCaches?: boolean;
  /** Leave out what is in directories that hold something of one of these names. */
  readonly excludeIfPresent?: readonly string[];
  /** Leave out what is in directories on another device than the directory around them. */
  readonly oneFileSystem?: boolean;
  /** Leave out what has the inode flag `nodump`. */
  readonly excludeNodump?: boolean;
  /** Leave out files of more bytes than this, by apparent size. */
  readonly excludeLargerThan?: number;
  /** Absolute directories that never belong in the backup: the repository it goes to, the local cache. */
  readonly storePaths?: readonly ByteString[];
}

/** What a walk knows of an entry. The functions cost system calls and are called only where an option asks for it. */
export interface ScannedEntry {
  /** Absolute byte string. */
  readonly path: ByteString;
  readonly kind: EntryKind;
  /** Apparent bytes. */
  readonly size: number;
  readonly device: number;
  /** Device of the directory that holds it. */
  readonly parentDevice: number;
  /** True when the inode flag `nodump` is set. Asked of files and directories. */
  hasNodump(): boolean;
  /** True when the directory holds something of that name (a byte string). */
  probe(name: ByteString): boolean;
  /** The first 43 bytes of `CACHEDIR.TAG` in the directory; undefined when it is absent or no regular file. */
  readCacheTag(): Uint8Array | undefined;
}

export type ReasonKind = 'pattern' | 'cachedir' | 'marker' | 'mount' | 'nodump' | 'size' | 'store';

/** Why an entry is treated as it is. */
export interface Reason {
  readonly kind: ReasonKind;
  /** A clause, to put after a colon. */
  readonly text: string;
  /** The pattern that decided and where it comes from. */
  readonly rule?: RuleSource;
}

/**
 * `skip` leaves the entry out. `skip-content` keeps a directory and, of what is in it, only the names in `keep`: the
 * tag, so that what is restored is tagged again. A reason to take something is a `!` pattern.
 */
export type SelectionDecision =
  | { readonly action: 'take'; readonly reason?: Reason }
  | { readonly action: 'skip'; readonly reason: Reason }
  | { readonly action: 'skip-content'; readonly reason: Reason; readonly keep: readonly ByteString[] };

const TAKE: SelectionDecision = { action: 'take' };

/**
 * Decides what of a source is backed up, entry by entry from the top down. Not asked about the sources themselves: what
 * someone names is taken.
 */
export class Selection {
  private readonly rules: ExcludeRules;
  private readonly options: SelectionOptions;
  private readonly markers: readonly { readonly name: string; readonly bytes: ByteString }[];
  private readonly storePaths: ReadonlySet<ByteString>;

  /** Rejects with `USAGE` for a wrong pattern, an unknown preset, a marker that is no name, a size that is no number. */
  constructor(options: SelectionOptions) {
    const { excludeIfPresent = [], excludeLargerThan: limit, storePaths = [] } = options;
    if (limit !== undefined && !(limit >= 0)) throw new CairnError('USAGE', `${limit} is no size to exclude files by`);
    this.options = options;
    this.rules = new ExcludeRules(rulesOf(options));
    this.markers = excludeIfPresent.map((name) => ({ name, bytes: markerBytes(name) }));
    this.storePaths = new Set(storePaths);
  }

  decide(entry: ScannedEntry): SelectionDecision {
    if (this.storePaths.has(entry.path)) {
      const text = 'Cairn keeps its own data there';
      return { action: 'skip', reason: { kind: 'store', text } };
    }
    const isDirectory = entry.kind === ENTRY_KIND.directory;
    const { excluded, rule } = this.rules.decide(entry.path, isDirectory);
    const matched = rule === undefined ? undefined : patternReason(rule);
    if (excluded && matched !== undefined) return { action: 'skip', reason: matched };
    const other = this.nodump(entry) ?? (isDirectory ? this.directory(entry) : this.size(entry));
    if (other !== undefined) return other;
    return matched === undefined ? TAKE : { action: 'take', reason: matched };
  }

  /** Only of files and directories: other kinds cannot be opened to read their flags, and do not carry this one. */
  private nodump(entry: ScannedEntry): SelectionDecision | undefined {
    const mayHaveFlag = entry.kind === ENTRY_KIND.file || entry.kind === ENTRY_KIND.directory;
    if (this.options.excludeNodump !== true || !mayHaveFlag || !entry.hasNodump()) return undefined;
    return { action: 'skip', reason: { kind: 'nodump', text: 'its `nodump` flag is set' } };
  }

  private size(entry: ScannedEntry): SelectionDecision | undefined {
    const limit = this.options.excludeLargerThan;
    if (limit === undefined || entry.kind !== ENTRY_KIND.file || entry.size <= limit) return undefined;
    const text = `it has ${entry.size} bytes, and files of more than ${limit} are excluded`;
    return { action: 'skip', reason: { kind: 'size', text } };
  }

  private directory(entry: ScannedEntry): SelectionDecision | undefined {
    // Only directories: on an overlay file system plain files may show the device of a layer, without being mounts.
    if (this.options.oneFileSystem === true && entry.device !== entry.parentDevice) {
      return withoutContent('mount', 'it is on another file system than the directory around it');
    }
    if (this.options.excludeCaches === true) {
      const firstBytes = entry.readCacheTag();
      if (firstBytes !== undefined && isCacheDirTag(firstBytes)) {
        return withoutContent('cachedir', `its ${CACHEDIR_TAG_NAME} says that it is a cache`, [CACHEDIR_TAG_NAME]);
      }
    }
    const marker = this.markers.find((one) => entry.probe(one.bytes));
    return marker && withoutContent('marker', `it holds \`${marker.name}\``, [marker.bytes]);
  }
}

function withoutContent(kind: ReasonKind, text: string, keep: readonly ByteString[] = []): SelectionDecision {
  return { action: 'skip-content', reason: { kind, text }, keep };
}

function patternReason(rule: RuleSource): Reason {
  const from = rule.origin === 'option' ? 'given as an option' : `from ${rule.origin}`;
  return { kind: 'pattern', text: `rule \`${rule.pattern}\` ${from}`, rule };
}

function rulesOf({ presets = [], excludeFiles = [], excludes = [] }: SelectionOptions): RuleSource[] {
  const withOrigin = (patterns: readonly string[], origin: Origin): RuleSource[] =>
    patterns.map((pattern) => ({ pattern, origin }));
  return [
    ...presets.flatMap((name) => withOrigin(presetNamed(name).excludes, `preset ${name}`)),
    ...excludeFiles.flatMap((file) => parseExcludeFile(file.content, file.name)),
    ...withOrigin(excludes, 'option'),
  ];
}

function markerBytes(name: string): ByteString {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw new CairnError('USAGE', `${JSON.stringify(name)} is no name of a marker file`, {
      hint: 'A marker is one name without slashes, such as `.nobackup`.',
    });
  }
  return bytesOfText(name);
}
