import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { decodeSegment, mostRecords, type IndexSegment } from '../index/segment.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, type CheckContext } from './context.ts';

/** How many segments are fetched at once: with the format's limit of 16 MiB each, little memory. */
const FETCH_WIDTH = 2;

/** A segment that could be read. */
export interface ReadSegment {
  readonly name: string;
  readonly segment: IndexSegment;
}

/** The segments of a store, less those that the log gave up. */
export interface ReadSegments {
  /** Names of those that cannot be read. */
  readonly unreadable: readonly string[];
}

/**
 * Reads every present segment that the log has not swept and passes on each, so that few need be in memory; tells of those that
 * are damaged, and goes on. Begins again when one was swept meanwhile: what it listed stands in one that the listing may have
 * missed (rules R10, R12). Rejects when the store cannot be read.
 * @param begin is told how many records there can be at most, and gives what takes the segments, from the first one on.
 */
export async function readSegments(
  context: CheckContext,
  begin: (mostRecords: number) => (read: ReadSegment) => void,
): Promise<ReadSegments> {
  for (;;) {
    const { names, records } = await listSegments(context);
    const unreadable = await readListed(context, names, begin(records));
    if (unreadable !== 'swept') return { unreadable };
  }
}

async function listSegments(context: CheckContext): Promise<{ readonly names: string[]; readonly records: number }> {
  const { access, store, findings } = context;
  const names: string[] = [];
  let records = 0;
  for await (const { name, sizeBytes } of store.list('index')) {
    const { sweptSegments, damage } = access.log.state;
    if (sweptSegments.has(name)) {
      findings.add('swept-object', {
        object: `index/${name}`,
        message: 'this index segment was given up, and is still in the store',
        hint: 'Nothing needs it; `cairn compact` removes it.',
      });
    } else if (damage.lostSegments.has(name)) {
      findings.add('damage-noted', {
        object: `index/${name}`,
        message: 'this index segment is damaged, and others list what it did',
        hint: 'Nothing to do; `cairn compact` removes it.',
      });
    } else {
      names.push(name);
      records += mostRecords(sizeBytes);
    }
  }
  return { names: names.toSorted(), records };
}

/** Resolves to the names of those that cannot be read; to `swept` when one need not be there any more. */
async function readListed(
  context: CheckContext,
  names: readonly string[],
  take: (read: ReadSegment) => void,
): Promise<readonly string[] | 'swept'> {
  const { signal, progress } = context;
  const unreadable: string[] = [];
  for (let at = 0; at < names.length; at += FETCH_WIDTH) {
    throwIfCancelled(signal, 'check');
    progress({ phase: 'index', done: at, total: names.length });
    const batch = names.slice(at, at + FETCH_WIDTH).map((name) => readSegment(context, name));
    for (const [i, segment] of (await Promise.all(batch)).entries()) {
      if (segment === 'swept') return segment;
      if (segment === 'unreadable') unreadable.push(names[at + i] as string);
      else take(segment);
    }
  }
  progress({ phase: 'index', done: names.length, total: names.length });
  return unreadable;
}

async function readSegment(context: CheckContext, name: string): Promise<ReadSegment | 'unreadable' | 'swept'> {
  const { access, store } = context;
  const { suite } = access;
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read the index') };
  try {
    const object = await store.get({ kind: 'index', name });
    if (toHex(suite.sha256(object)) !== name) {
      throw new CairnError('CORRUPT', 'its bytes are not those that were stored: SHA-256 is not its name');
    }
    return { name, segment: decodeSegment(suite, keys, object, 'the segment') };
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (await isSweptNow(context, name)) return 'swept';
    context.findings.add('segment-damaged', {
      object: `index/${name}`,
      message: `this index segment cannot be read: ${error.message}`,
      hint: 'Run `cairn repair`: what it said is made again from the packs.',
    });
    return 'unreadable';
  }
}

/** A segment may have been swept since the log was read: then it need not be there. */
async function isSweptNow({ access }: CheckContext, name: string): Promise<boolean> {
  await access.log.refresh();
  return access.log.state.sweptSegments.has(name);
}
