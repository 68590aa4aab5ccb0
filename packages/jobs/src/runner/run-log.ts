import { formatDuration, RUNS, type CairnError, type Environment, type Timer } from '@cairn/core';

import type { Figures, NewEvent, StepStatus } from '../runs/run-events.ts';
import type { RunWriter } from '../runs/run-writer.ts';

/** What a step tells of its progress. */
export type Progress = Omit<Extract<NewEvent, { type: 'progress' }>, 'type' | 'step'>;

/** Says in the record of a run what happens: bounded in length and in number, and now and then that it goes on. */
export class RunLog {
  /** Warnings so far. */
  warnings = 0;
  private readonly writer: RunWriter;
  private readonly environment: Environment;
  private progressMs = -Infinity;
  private saidMs: number;
  private step: string | undefined;
  private readonly lines: string[] = [];
  private length = 0;

  constructor(writer: RunWriter, environment: Environment) {
    this.writer = writer;
    this.environment = environment;
    this.saidMs = environment.clock.monotonicMs();
  }

  info(text: string, step = this.step): void {
    this.say('info', text, step);
  }

  /** Something that somebody should look at: the run ends with a warning at best. */
  warn(text: string, step = this.step): void {
    this.warnings += 1;
    this.say('warning', text, step);
  }

  error(text: string, step = this.step): void {
    this.say('error', text, step);
  }

  /** At most 2 a second are written. */
  progress(step: string, progress: Progress): void {
    const nowMs = this.environment.clock.monotonicMs();
    if (nowMs - this.progressMs < RUNS.progressMs) return;
    this.progressMs = nowMs;
    this.writer.append({ type: 'progress', step, ...progress });
  }

  stepStarted(step: string): void {
    this.step = step;
    this.progressMs = -Infinity;
    this.saidMs = this.environment.clock.monotonicMs();
    this.writer.append({ type: 'step-started', step });
  }

  stepEnded(
    step: string,
    status: StepStatus,
    seconds: number,
    how: { readonly error?: CairnError | undefined; readonly text?: string; readonly figures?: Figures },
  ): void {
    if (this.step === step) this.step = undefined;
    const { error, figures } = how;
    const text = how.text ?? error?.message;
    this.keep(
      `${step}: ${status === 0 ? 'done' : 'failed'} after ${formatDuration(seconds * 1000)}${text === undefined ? '' : `: ${text}`}`,
    );
    this.writer.append({
      type: 'step-ended',
      step,
      status,
      seconds,
      ...(error === undefined ? {} : { code: error.code }),
      ...(text === undefined ? {} : { text: cut(text) }),
      ...(figures === undefined ? {} : { figures }),
    });
  }

  /** What was said so far, for people: the last of it when it is long. */
  text(): string {
    return this.lines.join('');
  }

  /** Says every so often that the run goes on, for those who end what is silent; until the signal fires. */
  async keepAlive(everyMs: number, timer: Timer, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { clock } = this.environment;
      await timer.wait(Math.max(1, this.saidMs + everyMs - clock.monotonicMs()), signal);
      if (signal.aborted) return;
      if (clock.monotonicMs() - this.saidMs < everyMs) continue;
      this.info(`goes on, for ${formatDuration(this.writer.seconds * 1000)} so far`);
    }
  }

  private say(level: 'info' | 'warning' | 'error', text: string, step: string | undefined): void {
    this.saidMs = this.environment.clock.monotonicMs();
    this.keep(`${level === 'info' ? '' : `${level}: `}${step === undefined ? '' : `${step}: `}${text}`);
    this.writer.append({ type: 'log', level, ...(step === undefined ? {} : { step }), text: cut(text) });
  }

  private keep(text: string): void {
    const line = `${cut(text)}\n`;
    this.lines.push(line);
    this.length += line.length;
    while (this.length > KEPT_CHARACTERS) this.length -= this.lines.shift()?.length ?? this.length;
  }
}

/** Characters of what was said that are kept for alerts. */
const KEPT_CHARACTERS = 1024 * 1024;

function cut(text: string): string {
  return text.length <= RUNS.textBytes ? text : `${text.slice(0, RUNS.textBytes)} …`;
}
