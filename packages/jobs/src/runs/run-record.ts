import { RUNS } from '@cairn/core';
import { open, type FileHandle } from 'node:fs/promises';

import { parseRunEvent, type EndedEvent, type Figures, type RunEvent, type RunKind } from './run-events.ts';
import type { RunStatus, RunTrigger, StartedEvent } from './run-events.ts';

/** What is known of a run without reading all its events. Times are RFC 3339 in UTC. */
export interface RunRecord {
  readonly id: string;
  readonly job: string;
  readonly kind: RunKind;
  readonly trigger: RunTrigger;
  readonly pid: number;
  readonly startedAt: string;
  readonly status: 'running' | RunStatus;
  /** Undefined while it runs, and for a run that was lost. */
  readonly endedAt: string | undefined;
  readonly exit: number | undefined;
  readonly seconds: number | undefined;
  readonly figures: Figures;
  /** Name of the archive that was made. */
  readonly archive: string | undefined;
  /** Bytes of its events. */
  readonly size: number;
}

/** A run as JSON output and the API show it. */
export interface RunJson {
  readonly [field: string]: string | number | Figures;
}

/** The same as an object of JSON, absent where nothing is known. */
export function runJson(run: RunRecord): RunJson {
  const { id, job, kind, trigger, status, startedAt, endedAt, exit, seconds, figures, archive } = run;
  return {
    id,
    job,
    kind,
    trigger,
    status,
    started_at: startedAt,
    ...(endedAt === undefined ? {} : { ended_at: endedAt }),
    ...(exit === undefined ? {} : { exit }),
    ...(seconds === undefined ? {} : { seconds }),
    figures,
    ...(archive === undefined ? {} : { archive }),
  };
}

/** The first and the last event of a run: what a summary is made of. */
export interface RunEnds {
  readonly started: StartedEvent;
  readonly ended: EndedEvent | undefined;
  readonly size: number;
}

/**
 * Reads the first line and the last ones; undefined when there is no first one, as when the machine stopped before it was on
 * the disk. Rejects with a system error.
 */
export async function readRunEnds(path: string): Promise<RunEnds | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = await piece(file, 0, Math.min(size, RUNS.lineBytes));
    const started = parseRunEvent(head.split('\n', 1)[0] ?? '');
    if (started?.type !== 'started') return undefined;
    const from = Math.max(0, size - RUNS.lineBytes);
    const tail = from === 0 ? head : await piece(file, from, size - from);
    const ended = tail.split('\n').map(parseRunEvent).findLast(isEnded);
    return { started, ended, size };
  } finally {
    await file.close();
  }
}

function isEnded(event: RunEvent | undefined): event is EndedEvent {
  return event?.type === 'ended';
}

async function piece(file: FileHandle, from: number, length: number): Promise<string> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, from);
  return bytes.toString('utf8', 0, bytesRead);
}
