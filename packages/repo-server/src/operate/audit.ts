import { DirectoryStore, type Clock, type Decision } from '@cairn/core/server';
import { join } from 'node:path';

import { showTime } from '../quantities.ts';
import type { HostedSettings } from '../repository/hosted-repository.ts';
import { Ledger } from '../repository/ledger.ts';
import { LogKeeper, type KeptEntry } from '../repository/log-keeper.ts';

/** Difference between a writer's clock and the server's from which it is worth a word. */
const CLOCK_DOUBT_MS = 86_400_000;

/** One entry of the log as an administrator reads it, without a key. */
export interface AuditLine {
  readonly seq: number;
  /** When the server received it, milliseconds since 1970. */
  readonly received_ms: number;
  /** The writer's clock. */
  readonly writer_ms: number;
  /** The credential that wrote it; null when it was written without this server. */
  readonly client: string | null;
  readonly kind: Decision['kind'];
  readonly archives: readonly string[];
  readonly packs: number;
  readonly segments: number;
  /** What deserves a look. */
  readonly remarks: readonly string[];
}

/** Reads and verifies the whole log. Rejects with `CORRUPT` as the server would at its start. */
export async function audit(settings: HostedSettings, clock: Clock): Promise<AuditLine[]> {
  const store = await DirectoryStore.open(settings.path);
  const entries: KeptEntry[] = [];
  const log = await LogKeeper.open(store, clock, (entry) => entries.push(entry));
  const ledger = await Ledger.read(join(settings.stateDirectory, 'ledger'));
  await log.assertAcknowledged(ledger.newestEntry);
  await store[Symbol.asyncDispose]();
  return entries.map((entry) => lineOf(entry, ledger.writers.get(entry.seq) ?? null));
}

function lineOf({ seq, receivedMs, writerMs, decision }: KeptEntry, client: string | null): AuditLine {
  const remarks: string[] = [];
  if (Math.abs(receivedMs - writerMs) > CLOCK_DOUBT_MS) remarks.push(`the writer's clock says ${showTime(writerMs)}`);
  if (client === null) remarks.push('written without this server');
  return {
    seq,
    received_ms: receivedMs,
    writer_ms: writerMs,
    client,
    kind: decision.kind,
    archives: archivesOf(decision),
    packs: 'packs' in decision ? decision.packs.length : 0,
    segments: 'segments' in decision ? decision.segments.length : 0,
    remarks,
  };
}

function archivesOf(decision: Decision): readonly string[] {
  if (decision.kind === 'COMMIT') return [decision.archive];
  if (decision.kind === 'CONDEMN') return decision.dropped;
  return 'archives' in decision ? decision.archives : [];
}

/** A line for people. */
export function auditText(line: AuditLine): string {
  const facts = [
    ...line.archives.map((id) => id.slice(0, 12)),
    ...(line.packs > 0 ? [line.packs === 1 ? '1 pack' : `${line.packs} packs`] : []),
    ...(line.segments > 0 ? [line.segments === 1 ? '1 segment' : `${line.segments} segments`] : []),
    ...line.remarks.map((remark) => `(${remark})`),
  ];
  const head = [String(line.seq).padStart(6), showTime(line.received_ms), (line.client ?? '-').padEnd(12)];
  return [...head, line.kind.padEnd(8), ...facts].join('  ').trimEnd();
}
