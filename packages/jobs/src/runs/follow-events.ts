import { RUNS, type Timer } from '@cairn/core';
import { open, type FileHandle } from 'node:fs/promises';

import { parseRunEvent, type RunEvent } from './run-events.ts';

/** An event, and the byte offset behind its line. */
export interface FollowedEvent {
  readonly offset: number;
  readonly event: RunEvent;
}

export interface FollowOptions {
  /** Byte offset to begin at: 0, or the offset of an event that was given before. */
  readonly from: number;
  readonly signal: AbortSignal | undefined;
  /** Whether somebody may still write. */
  readonly isAlive: () => Promise<boolean>;
  readonly timer: Timer;
}

const LINE_FEED = 0x0a;

/** The events of a record from an offset on; waits for more until the run has ended or nobody writes any more. */
export async function* followEvents(path: string, options: FollowOptions): AsyncGenerator<FollowedEvent> {
  const { from, signal, isAlive, timer } = options;
  const isStopped = (): boolean => signal?.aborted === true;
  const file = await open(path, 'r');
  try {
    let offset = from;
    let quietMs = 0;
    let isLast = false;
    while (!isStopped()) {
      const lines = await linesFrom(file, offset);
      for (const { end, text } of lines) {
        offset = end;
        const event = parseRunEvent(text);
        if (event === undefined) continue;
        yield { offset, event };
        if (event.type === 'ended' || isStopped()) return;
      }
      if (lines.length > 0) {
        quietMs = 0;
        continue;
      }
      if (isLast) return;
      await timer.wait(RUNS.followMs, signal);
      quietMs += RUNS.followMs;
      if (quietMs < RUNS.aliveMs) continue;
      quietMs = 0;
      // Once more after it: what was written last is read before the run is given up.
      isLast = !(await isAlive());
    }
  } finally {
    await file.close();
  }
}

/** The whole lines from an offset on, as many as fit into twice the longest. */
async function linesFrom(
  file: FileHandle,
  offset: number,
): Promise<readonly { readonly end: number; readonly text: string }[]> {
  // Hundreds may follow, and most of the time there is nothing new: no memory for that.
  const { size } = await file.stat();
  if (size <= offset) return [];
  const bytes = Buffer.alloc(Math.min(2 * RUNS.lineBytes, size - offset));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
  const lines: { end: number; text: string }[] = [];
  let start = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1 && at < bytesRead; at = bytes.indexOf(LINE_FEED, start)) {
    lines.push({ end: offset + at + 1, text: bytes.toString('utf8', start, at) });
    start = at + 1;
  }
  // No line of ours is so long: skipped, so that following does not stand still.
  if (lines.length === 0 && bytesRead === 2 * RUNS.lineBytes) return [{ end: offset + bytesRead, text: '' }];
  return lines;
}
