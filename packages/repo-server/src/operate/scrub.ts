import { isCairnError, LIMITS, type Clock, type DirectoryStore, type ObjectKey } from '@cairn/core/server';
import { createHash } from 'node:crypto';

const KINDS = ['packs', 'index'] as const;

/** What one pass over all packs and segments found. */
export interface ScrubReport {
  readonly objects: number;
  readonly bytes: number;
  /** Labels of objects whose bytes have another SHA-256 than their name, or cannot be read. */
  readonly bad: readonly string[];
  readonly endedMs: number;
}

/** How far a pass has come. */
export interface ScrubProgress extends Omit<ScrubReport, 'endedMs'> {
  /** The object that was read last. */
  readonly kind: (typeof KINDS)[number];
  readonly name: string;
}

export interface ScrubOptions {
  /** Where an earlier process left this pass; the beginning unless given. What came since with a smaller name is read by the next pass. */
  readonly from?: ScrubProgress | undefined;
  /** Hears of each object, when it was read. */
  readonly onProgress?: (progress: ScrubProgress) => Promise<void>;
  /** Bytes a second at most; undefined: as fast as the disk. */
  readonly rate: number | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onBad?: (label: string, how: string) => void;
}

/**
 * Reads every pack and index segment and compares its SHA-256 with its name: no key is needed for that. Changes nothing: what is
 * damaged is for `cairn check` and `cairn repair` on a machine with keys. Rejects as stores do when objects cannot be listed.
 */
export async function scrub(store: DirectoryStore, options: ScrubOptions): Promise<ScrubReport> {
  const { rate, clock, signal, onBad, onProgress } = options;
  const begun = KINDS.indexOf(options.from?.kind as ScrubProgress['kind']);
  const from = begun === -1 ? undefined : options.from;
  const pace = new Pace(rate, clock);
  const bad: string[] = [...(from?.bad ?? [])];
  let { objects, bytes } = from ?? { objects: 0, bytes: 0 };
  for (const kind of KINDS.slice(Math.max(0, begun))) {
    for await (const { name } of store.listAfter(kind, kind === from?.kind ? from.name : '')) {
      if (signal?.aborted === true) break;
      const how = await judge(store, { kind, name }, async (read) => {
        bytes += read;
        await pace.take(read);
      });
      objects += 1;
      if (how !== undefined) {
        bad.push(`${kind}/${name}`);
        onBad?.(`${kind}/${name}`, how);
      }
      await onProgress?.({ kind, name, objects, bytes, bad });
    }
  }
  return { objects, bytes, bad, endedMs: Number(clock.nowNs() / 1_000_000n) };
}

/** What is wrong with an object, or undefined. One that went meanwhile is good. */
async function judge(
  store: DirectoryStore,
  key: ObjectKey,
  took: (bytes: number) => Promise<void>,
): Promise<string | undefined> {
  try {
    const object = await store.openObject(key);
    try {
      const hash = createHash('sha256');
      for (let done = 0; done < object.sizeBytes;) {
        const piece = await object.read(done, Math.min(LIMITS.serverBufferBytes, object.sizeBytes - done));
        hash.update(piece);
        done += piece.length;
        await took(piece.length);
      }
      return hash.digest('hex') === key.name ? undefined : 'its bytes have another SHA-256 than its name';
    } finally {
      await object[Symbol.asyncDispose]();
    }
  } catch (error) {
    if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
    return error instanceof Error ? error.message : String(error);
  }
}

/** Waits so that no more than a rate is taken, over the whole pass. */
class Pace {
  private readonly rate: number | undefined;
  private readonly clock: Clock;
  private readonly startMs: number;
  private taken = 0;

  constructor(rate: number | undefined, clock: Clock) {
    this.rate = rate;
    this.clock = clock;
    this.startMs = clock.monotonicMs();
  }

  async take(bytes: number): Promise<void> {
    if (this.rate === undefined) return;
    this.taken += bytes;
    const dueMs = (this.taken / this.rate) * 1000 - (this.clock.monotonicMs() - this.startMs);
    if (dueMs > 1) await new Promise((resolve) => setTimeout(resolve, dueMs));
  }
}
