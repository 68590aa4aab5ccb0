import { formatBytes, formatDuration } from './format.ts';
import type { Messages } from './messages.ts';

/** Milliseconds between two pictures of the progress line. */
const REDRAW_MS = 100;
/** Seconds over which a rate is averaged. */
const RATE_MS = 5_000;
/** A guess of the time left is shown only after so long: earlier ones jump about. */
const GUESS_AFTER_MS = 2_000;

export interface ProgressParts {
  /** Bytes done and, when it is known, the total: for the rate, the share and the time left. */
  readonly bytes: number;
  readonly totalBytes?: number | undefined;
  /** What else to show, most important first; what does not fit is left out. */
  readonly facts: readonly string[];
}

/** One line about work under way, with rate and time left. Draws nothing where nobody looks. */
export class ProgressLine {
  private readonly messages: Messages;
  private readonly startMs = performance.now();
  private readonly samples: { readonly ms: number; readonly bytes: number }[] = [];
  private drawnMs = -Infinity;

  constructor(messages: Messages) {
    this.messages = messages;
  }

  update(parts: () => ProgressParts): void {
    const now = performance.now();
    if (!this.messages.showsProgress || now - this.drawnMs < REDRAW_MS) return;
    this.drawnMs = now;
    const { bytes, totalBytes, facts } = parts();
    const rate = this.rate(now, bytes);
    const shown = [...facts];
    if (rate > 0) shown.unshift(`${formatBytes(rate)}/s`);
    if (totalBytes !== undefined && totalBytes > 0 && bytes <= totalBytes) {
      shown.unshift(`${String(Math.floor((bytes / totalBytes) * 100)).padStart(2)} %`);
      const left = ((totalBytes - bytes) / rate) * 1000;
      if (now - this.startMs > GUESS_AFTER_MS && left > 0 && Number.isFinite(left)) {
        shown.splice(2, 0, `${formatDuration(left)} left`);
      }
    }
    this.messages.showProgress(fitting(shown, this.messages.columns - 1));
  }

  /** Removes the line. */
  done(): void {
    this.messages.showProgress('');
  }

  /** Bytes a second over the last seconds. */
  private rate(now: number, bytes: number): number {
    this.samples.push({ ms: now, bytes });
    while ((this.samples[0]?.ms ?? now) < now - RATE_MS && this.samples.length > 2) this.samples.shift();
    const first = this.samples[0];
    return first === undefined || first.ms === now ? 0 : ((bytes - first.bytes) / (now - first.ms)) * 1000;
  }
}

function fitting(parts: readonly string[], columns: number): string {
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : `${line}  ${part}`;
    if (longer.length > columns) break;
    line = longer;
  }
  return line;
}
