import { isCairnError } from '../../errors.ts';
import { logName } from '../../ids.ts';
import { encodeDecision, LOG_KIND_NUMBER, type Decision } from '../../log/decision.ts';
import { encodeLogFrame } from '../../log/entry.ts';
import type { Repository } from '../../repository.ts';
import type { Seeded } from '../seeded.ts';

/**
 * Somebody who may append and has ill will: an entry that no key opens, and that a server without keys cannot tell from a good one.
 * Others go on, and compaction waits until its archive is given up.
 */
export async function intrude(repository: Repository, random: Seeded): Promise<void> {
  const { log, store, suite, environment } = repository.access;
  const last = log.seq === 0 ? ({ kind: 'config', name: 'config' } as const) : slot(log.seq);
  const decision = random.oneOf(decisions(random, [...log.state.condemnedPacks.keys()]));
  const body = encodeLogFrame(suite, environment.random, random.bytes(32), {
    kind: LOG_KIND_NUMBER[decision.kind],
    seq: log.seq + 1,
    previous: suite.sha256(await store.get(last)),
    timeNs: environment.clock.nowNs(),
    publicPart: encodeDecision(decision),
    sealedPart: random.bytes(40),
  });
  try {
    await store.put(slot(log.seq + 1), body);
  } catch (error) {
    // Somebody was faster: a server refuses what does not follow the newest entry.
    if (!isCairnError(error, 'OBJECT_EXISTS')) throw error;
  }
}

function slot(seq: number): { readonly kind: 'log'; readonly name: string } {
  return { kind: 'log', name: logName(seq) };
}

function decisions(random: Seeded, condemned: readonly string[]): readonly Decision[] {
  const archive = Buffer.from(random.bytes(16)).toString('hex');
  const rescuedPacks = condemned.length === 0 ? [] : random.someOf(condemned);
  return [
    { kind: 'COMMIT', archive, base: null, segments: [], rescuedPacks, rescuedSegments: [] },
    { kind: 'INDEX', segments: [] },
    { kind: 'RESCUE', packs: rescuedPacks, segments: [] },
  ];
}
