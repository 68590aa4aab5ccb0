import { availableParallelism } from 'node:os';

import { checkData } from '../check/check-data.ts';
import { checkHeaders } from '../check/check-headers.ts';
import { CountingStore, type CheckContext, type CheckProgress } from '../check/context.ts';
import { Findings, type Finding } from '../check/finding.ts';
import { Inventory } from '../check/inventory.ts';
import { TreeCheck } from '../check/tree-check.ts';
import { CairnError } from '../errors.ts';
import type { Random } from '../ports/environment.ts';
import type { RepositoryAccess } from '../repository/access.ts';

export type { CheckProgress } from '../check/context.ts';
export type { Finding, FindingCode, FindingSeverity } from '../check/finding.ts';

/** What to check beside log, index, names, sizes and trees, which every check looks at. */
export interface CheckOptions {
  /** Read every pack wholly: its name, its header, and each chunk that the key can open. */
  readonly data?: boolean;
  /** As `data`, of a random part of the packs; `share` is above 0 and up to 1. At least one pack is read. */
  readonly sample?: { readonly share: number };
  /** Read the headers of packs and compare them with the index; true unless given. Costs one small read for each pack. */
  readonly headers?: boolean;
  /** Say in the log that the check was done, with its result. Rejects with `STORE_DENIED` when the store does not allow it. */
  readonly record?: boolean;
  /** Worker threads that open chunks; 0 does all in this thread. Default: one for each core, at most 3. */
  readonly threads?: number;
}

/** How to run a check. */
export interface CheckRun {
  readonly signal?: AbortSignal;
  readonly onFinding?: (finding: Finding) => void;
  readonly onProgress?: (progress: CheckProgress) => void;
}

export interface CheckReport {
  readonly level: 'structure' | 'sample' | 'data';
  readonly startedNs: bigint;
  readonly endedNs: bigint;
  /** Objects that were looked at: config, log entries, index segments, packs. */
  readonly objects: number;
  /** Packs in the store. */
  readonly packs: number;
  /** Packs that were read wholly. */
  readonly packsRead: number;
  /** Chunks that were opened in packs read wholly. */
  readonly chunks: number;
  /** Archives whose trees were walked. */
  readonly archives: number;
  /** Entries of trees that were looked at; what is the same in several archives counts once. */
  readonly entries: number;
  /** References of files to chunks that were looked up. */
  readonly references: number;
  /** Bytes read from the store, those of the log excepted. */
  readonly bytesRead: number;
  readonly errors: number;
  readonly warnings: number;
  /** The first 1,000 findings. */
  readonly findings: readonly Finding[];
}

/** Each thread takes some 40 MB: with these, a check stays below 256 MB. */
const MOST_THREADS = 3;

/**
 * Checks a repository. Damage is a finding, never an error: rejects only when config, log or the store as a whole cannot be
 * read, with `CANCELLED`, and with `USAGE` for a share that cannot be.
 */
export async function checkRepository(
  access: RepositoryAccess,
  options: CheckOptions = {},
  run: CheckRun = {},
): Promise<CheckReport> {
  const { headers = true, threads = Math.min(MOST_THREADS, availableParallelism()) } = options;
  const { signal, onFinding, onProgress } = run;
  const { clock, random } = access.environment;
  const startedNs = clock.nowNs();
  const findings = new Findings(onFinding);
  const store = new CountingStore(access.store);
  const context: CheckContext = { access, store, findings, signal, progress: onProgress ?? (() => undefined) };
  const share = shareToRead(options);

  await access.log.refresh();
  const inventory = await Inventory.take(context);
  const names = [...inventory.packs.keys()].toSorted();
  const read = chooseShare(names, share, random);
  if (share > 0 && read.size === 0) nothing(findings, 'the repository has no packs');
  if (headers) {
    const rest = names.filter((name) => !read.has(name) && inventory.dataStart(name) !== undefined);
    await checkHeaders(context, inventory, rest);
  }
  const data = await checkData(context, inventory, [...read], threads);
  inventory.applyMarks();
  const trees = await checkTrees(context, inventory);

  const report: CheckReport = {
    level: share === 1 ? 'data' : share > 0 ? 'sample' : 'structure',
    startedNs,
    endedNs: clock.nowNs(),
    objects: 1 + access.log.seq + inventory.segmentCount + names.length,
    packs: names.length,
    packsRead: data.packs,
    chunks: data.chunks,
    ...trees,
    bytesRead: store.bytesRead,
    errors: findings.counts.error,
    warnings: findings.counts.warning,
    findings: findings.kept,
  };
  if (options.record === true) await record(access, report, findings.total);
  return report;
}

function shareToRead({ data = false, sample }: CheckOptions): number {
  if (data) return 1;
  if (sample === undefined) return 0;
  if (!(sample.share > 0 && sample.share <= 1)) {
    throw new CairnError('USAGE', `not a share of the packs: ${sample.share}`, { hint: 'Give a number from 0 to 1.' });
  }
  return sample.share;
}

/** A random choice of that share of the names, rounded up. */
function chooseShare(names: readonly string[], share: number, random: Random): ReadonlySet<string> {
  const count = Math.ceil(names.length * share);
  if (count === names.length) return new Set(names);
  const left = [...names];
  const bytes = Buffer.from(random.bytes(4 * count));
  const chosen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const at = bytes.readUInt32LE(4 * i) % left.length;
    chosen.add(left[at] as string);
    left[at] = left.at(-1) as string;
    left.pop();
  }
  return chosen;
}

async function checkTrees(
  context: CheckContext,
  inventory: Inventory,
): Promise<Pick<CheckReport, 'archives' | 'entries' | 'references'>> {
  const { access, findings, progress } = context;
  const { skM, psk, idMeta } = access.keys;
  const archives = [...access.log.state.archives.values()].filter(({ state }) => state !== 'dropped').toReversed();
  if (archives.length === 0) nothing(findings, 'the repository has no archives');
  if (skM === undefined || psk === undefined || idMeta === undefined) {
    findings.add('trees-not-checked', {
      message: 'the key at hand opens no trees: whether archives have all they need was not checked',
      hint: 'Run the check with a maintain key or a read key.',
    });
    return { archives: 0, entries: 0, references: 0 };
  }
  const trees = new TreeCheck(context, inventory);
  for (const [done, archive] of archives.entries()) {
    progress({ phase: 'trees', done, total: archives.length });
    await trees.check(archive);
  }
  trees.finish();
  progress({ phase: 'trees', done: archives.length, total: archives.length });
  return { archives: archives.length, entries: trees.entries, references: trees.references };
}

function nothing(findings: Findings, why: string): void {
  findings.add('nothing-checked', {
    message: `there is nothing to check: ${why}`,
    hint: 'If there should be, this is the wrong repository, or a part of its store is not there.',
  });
}

async function record(access: RepositoryAccess, report: CheckReport, findings: number): Promise<void> {
  const { startedNs, endedNs, level, objects, bytesRead: bytes } = report;
  await access.log.append(() => ({ kind: 'CHECK', startedNs, endedNs, level, objects, bytes, findings }));
}
