import { formatBytes, formatDuration } from '@cairn/core';
import type { RunEvent, StepStatus } from '@cairn/jobs';

import type { Context } from '../context.ts';
import { counted } from '../output/format.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';

const STATUS_TEXT: Readonly<Record<StepStatus, string>> = {
  0: 'done',
  1: 'failed',
  2: 'failed, the network is not reachable',
  3: 'failed, something is missing',
};

/** Shows the events of a run as they come: as lines of JSON, or for people. */
export class RunPrinter {
  private readonly context: Context;
  private line: ProgressLine;
  /** Lines that are not yet written: they are written in order. */
  private written: Promise<void> = Promise.resolve();

  constructor(context: Context) {
    this.context = context;
    this.line = new ProgressLine(context.messages);
  }

  print(event: RunEvent): void {
    if (this.context.json) this.say(JSON.stringify(event));
    else this.printForPeople(event);
  }

  /** Resolves when all is written. */
  async finish(): Promise<void> {
    this.line.done();
    await this.written;
  }

  private printForPeople(event: RunEvent): void {
    const { messages } = this.context;
    switch (event.type) {
      case 'started':
        messages.detail(`run ${event.run} of the job ${event.job}`);
        return;
      case 'step-started':
        this.line = new ProgressLine(messages);
        messages.detail(`${event.step} begins`);
        return;
      case 'progress':
        this.line.update(() => ({
          bytes: event.done_bytes ?? 0,
          totalBytes: event.total_bytes,
          facts: [
            event.step,
            ...(event.text === undefined ? [] : [event.text]),
            ...(event.files === undefined ? [] : [counted(event.files, 'file')]),
            ...(event.done_bytes === undefined ? [] : [formatBytes(event.done_bytes)]),
          ],
        }));
        return;
      case 'log': {
        const text = `${event.step === undefined ? '' : `${event.step}: `}${safeText(event.text)}`;
        this.inTurn(() => (event.level === 'info' ? messages.info(text) : messages.write(`${event.level}: ${text}`)));
        return;
      }
      case 'step-ended': {
        this.line.done();
        const { step, status, seconds, text } = event;
        const more = text === undefined ? '' : `: ${safeText(text)}`;
        this.say(`${step}: ${STATUS_TEXT[status]} after ${formatDuration(1000 * seconds)}${more}`);
        return;
      }
      case 'ended':
        this.say(`${event.status} after ${formatDuration(1000 * event.seconds)}`);
    }
  }

  private say(text: string): void {
    const { output } = this.context;
    this.inTurn(async () => {
      await output.line(text);
      // Somebody may read along: a run takes hours.
      await output.flush();
    });
  }

  /** Results and messages in the order of the events. */
  private inTurn(write: () => void | Promise<void>): void {
    this.written = this.written.then(write);
  }
}
