import { availableParallelism } from 'node:os';

import { checkData } from '../check/check-data.ts';
import { checkHeaders } from '../check/check-headers.ts';
import { CountingStore, type CheckContext, type CheckProgress } from '../check/context.ts';
import { inEntries, newNotes, type SeenDamage } from '../check/damage-notes.ts';
import { Findings, type Finding } from '../check/finding.ts';
import { Inventory } from '../check/inventory.ts';
import { longestUnverified, shareOf, type PackSample } from '../check/pack-choice.ts';
import { TreeCheck } from '../check/tree-check.ts';
import { VerifiedPacks } from '../check/verified-packs.ts';
import { isCairnError, type ErrorCode } from '../errors.ts';
import { doubtsOf } from '../log/doubts.ts';
import { noCheckMemory, type CheckMemory } from '../ports/check-memory.ts';
import type { RepositoryAccess } from '../repository/access.ts';

export type { CheckProgress } from '../check/context.ts';
export type { Finding, FindingCode, FindingSeverity } from '../check/finding.ts';

/** What to check beside log, index, names, sizes and trees, which every check looks at. */
export interface CheckOptions {
  /** Read every pack wholly: its name, its header, and each chunk that the key can open. */
  readonly data?: boolean;
  /** As `data`, of some of the packs: those that were read longest ago, or never, as far as `memory` knows. */
  readonly sample?: PackSample;
  /** Read the headers of packs and compare them with the index; true unless given. Costs one small read for each pack. */
  readonly headers?: boolean;
  /**
   * Say in the log that the check was done, with its result and the damage it found, so that the next backup stores again what
   * is damaged; true unless given. Only with a key that can open trees; a store that does not allow it is told of.
   */
  readonly record?: boolean;
  /** When packs were read. Default: nothing is remembered. */
  readonly memory?: CheckMemory;
  /** Worker threads that open chunks; 0 does all in this thread. Default: one for each core, at most 3. */
  readonly threads?: number;
}

/** How to run a check. */
export interface CheckRun {
  readonly signal?: AbortSignal;
  readonly onFinding?: (finding: Finding) => void;
  readonly onProgress?: (progress: CheckProgress) => void;
}

/** How a check went, and what it found. */
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
  /** Archives and paths in them that damage affects, as far as trees were walked; at least. */
  readonly affected: { readonly archives: number; readonly paths: number };
  /** Packs that were never read wholly, as far as this client remembers, and when the one that waits longest was. */
  readonly unverified: { readonly packs: number; readonly oldestMs: number | undefined };
  /** The log says that this check was done. */
  readonly recorded: boolean;
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
 * read, with `CANCELLED`, and with `USAGE` for a share or a time that cannot be.
 */
export async function checkRepository(
  access: RepositoryAccess,
  options: CheckOptions = {},
  run: CheckRun = {},
): Promise<CheckReport> {
  const { headers = true, memory = noCheckMemory } = options;
  const { signal, onFinding, onProgress } = run;
  const { clock } = access.environment;
  const startedNs = clock.nowNs();
  const findings = new Findings(onFinding);
  const store = new CountingStore(access.store);
  const context: CheckContext = { access, store, findings, signal, progress: onProgress ?? (() => undefined) };
  const sample = sampleOf(options);
  const level = sample === undefined ? 'structure' : isAll(sample) ? 'data' : 'sample';

  await access.log.refresh();
  for (const { message, hint = '' } of doubtsOf(access.log)) findings.add('entry-unreadable', { message, hint });
  const inventory = await Inventory.take(context);
  const verified = await VerifiedPacks.load(context, memory, inventory.packs);
  const names = [...inventory.packs.keys()].toSorted();
  const { random } = access.environment;
  const toRead = sample === undefined ? [] : longestUnverified(names, verified.times, shareOf(sample), random);
  if (sample !== undefined && names.length === 0) nothing(findings, 'the repository has no packs');
  if (headers) {
    // A pack that is read wholly need not be asked for its header, unless time may run out before.
    const wholly = new Set(sample?.forMs === undefined ? toRead : []);
    const rest = names.filter((name) => !wholly.has(name) && inventory.dataStart(name) !== undefined);
    await checkHeaders(context, inventory, rest);
  }
  const data = await readPacks(context, inventory, toRead, options, verified);
  inventory.applyMarks();
  const trees = await checkTrees(context, inventory);

  const { opened: chunks, packs: packsRead, seen } = data;
  const result = {
    level,
    startedNs,
    endedNs: clock.nowNs(),
    objects: 1 + access.log.seq + inventory.segmentCount + names.length,
    bytesRead: store.bytesRead,
  } as const;
  const recorded = options.record !== false && (await record(context, result, seen));
  return {
    ...result,
    packs: names.length,
    packsRead,
    chunks,
    ...trees,
    unverified: waiting(names, verified.times),
    recorded,
    errors: findings.counts.error,
    warnings: findings.counts.warning,
    findings: findings.kept,
  };
}

function sampleOf({ data = false, sample }: CheckOptions): PackSample | undefined {
  if (data) return { share: 1 };
  if (sample !== undefined) shareOf(sample);
  return sample;
}

function isAll(sample: PackSample): boolean {
  return sample.forMs === undefined && shareOf(sample) === 1;
}

/** Reads packs wholly and remembers when, even when the check is stopped. */
async function readPacks(
  context: CheckContext,
  inventory: Inventory,
  names: readonly string[],
  { sample, threads = Math.min(MOST_THREADS, availableParallelism()) }: CheckOptions,
  verified: VerifiedPacks,
): Promise<{ readonly packs: number; readonly opened: number; readonly seen: ReadonlyMap<string, SeenDamage> }> {
  if (names.length === 0) return { packs: 0, opened: 0, seen: new Map() };
  try {
    const onRead = (name: string): Promise<void> => verified.verified(name);
    const options = { threads, forMs: sample?.forMs ?? Infinity, onRead };
    const { packs, chunks: opened, seen } = await checkData(context, inventory, names, options);
    return { packs, opened, seen };
  } finally {
    await verified.save();
  }
}

function waiting(names: readonly string[], times: ReadonlyMap<string, number>): CheckReport['unverified'] {
  let packs = 0;
  let oldestMs: number | undefined;
  for (const name of names) {
    const ms = times.get(name);
    if (ms === undefined) packs += 1;
    else oldestMs = Math.min(ms, oldestMs ?? ms);
  }
  return { packs, oldestMs };
}

async function checkTrees(
  context: CheckContext,
  inventory: Inventory,
): Promise<Pick<CheckReport, 'archives' | 'entries' | 'references' | 'affected'>> {
  const { access, findings, progress } = context;
  const { skM, psk, idMeta } = access.keys;
  const archives = [...access.log.state.archives.values()].filter(({ state }) => state !== 'dropped').toReversed();
  if (archives.length === 0) nothing(findings, 'the repository has no archives');
  if (skM === undefined || psk === undefined || idMeta === undefined) {
    findings.add('trees-not-checked', {
      message: 'the key at hand opens no trees: whether archives have all they need was not checked',
      hint: 'Run the check with a maintain key or a read key.',
    });
    return { archives: 0, entries: 0, references: 0, affected: { archives: 0, paths: 0 } };
  }
  const trees = new TreeCheck(context, inventory);
  for (const [done, archive] of archives.entries()) {
    progress({ phase: 'trees', done, total: archives.length });
    await trees.check(archive);
  }
  trees.finish();
  progress({ phase: 'trees', done: archives.length, total: archives.length });
  const { entries, references, affected } = trees;
  return { archives: archives.length, entries, references, affected };
}

function nothing(findings: Findings, why: string): void {
  findings.add('nothing-checked', {
    message: `there is nothing to check: ${why}`,
    hint: 'If there should be, this is the wrong repository, or a part of its store is not there.',
  });
}

/** Why a store may not take an entry, although all is well with the repository. */
const NOT_WRITABLE: readonly ErrorCode[] = ['STORE_DENIED', 'STORE_FULL', 'STORE_FAILED', 'STORE_UNREACHABLE'];

/** True when the log has it. That it has not is told of, and never fails a check. */
async function record(
  { access, findings }: CheckContext,
  result: Pick<CheckReport, 'level' | 'startedNs' | 'endedNs' | 'objects' | 'bytesRead'>,
  seen: ReadonlyMap<string, SeenDamage>,
): Promise<boolean> {
  if (access.keys.skM === undefined) return false;
  const { startedNs, endedNs, level, objects, bytesRead: bytes } = result;
  const about = { kind: 'CHECK', startedNs, endedNs, level, objects, bytes, lostSegments: [] } as const;
  try {
    for (const part of inEntries(newNotes(seen, access.log.state.damage.packs))) {
      await access.log.append(() => ({ ...about, findings: findings.total, damage: part }));
    }
    return true;
  } catch (error) {
    const isRefused = isCairnError(error) && NOT_WRITABLE.includes(error.code);
    if (!isRefused && error !== access.log.unreadableHead) throw error;
    findings.add('check-not-recorded', {
      message: `the log could not be told of this check: ${isCairnError(error) ? error.message : String(error)}`,
      hint: 'The result stands. Backups do not learn of damage that was found; `cairn repair` tells them.',
    });
    return false;
  }
}
