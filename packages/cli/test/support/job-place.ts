import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { RunEvent, RunStatus } from '@cairn/jobs';

import { Workplace, type Outcome } from './cairn.ts';

/** A run that has ended: what it printed as events. */
export interface EndedRun extends Outcome {
  readonly events: readonly RunEvent[];
}

/** A repository, a source, and a directory for jobs. */
export class JobPlace {
  readonly place = new Workplace();
  readonly env: Record<string, string>;

  constructor() {
    const { place } = this;
    this.env = {
      CAIRN_JOBS_DIRECTORY: place.path('jobs'),
      CAIRN_REPOSITORY: place.path('repo'),
      CAIRN_STATE_DIRECTORY: place.path('state'),
      CAIRN_CACHE_DIRECTORY: place.path('cache'),
    };
    place.file('source/one.txt', 'one');
    place.good(['init', '--key-file', place.path('key')], { env: this.env });
  }

  remove(): void {
    this.place.remove();
  }

  /** Writes a job on the repository and the source; `more` is TOML. */
  job(name: string, more = '', backup = ''): void {
    const { place } = this;
    place.file(
      `jobs/${name}.toml`,
      `[repository]\naddress = "${place.path('repo')}"\nkey-file = "${place.path('key')}"\n` +
        `[backup]\nseries = "${name}"\nsources = ["${place.path('source')}"]\n${backup}\n${more}`,
    );
  }

  cairn(...args: string[]): Outcome {
    return this.place.cairn(args, { env: this.env });
  }

  run(name: string, ...args: string[]): EndedRun {
    const outcome = this.cairn('run', name, '--json', ...args);
    return { ...outcome, events: eventsOf(outcome.stdout) };
  }

  /** Begins a run in the background. */
  start(name: string, ...args: string[]): RunningJob {
    return new RunningJob(this.place.start(['run', name, '--json', ...args], this.env));
  }

  /** The last run of a job as `cairn job status` tells it. */
  last(name: string): {
    readonly status: RunStatus;
    readonly figures: Record<string, number>;
    readonly archive?: string;
  } {
    const [status] = JSON.parse(this.cairn('job', 'status', name, '--json').stdout) as [
      { last: { status: RunStatus; figures: Record<string, number> } },
    ];
    return status.last;
  }

  /** Lets all runs of a job be some years old. */
  becomeOld(name: string): void {
    const runs = this.place.path('state/runs', name);
    for (const id of readdirSync(runs)) {
      const file = join(runs, id, 'events.jsonl');
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"at":"\d{4}/g, '"at":"2020'));
    }
  }

  archives(series: string): { readonly name: string; readonly complete: boolean }[] {
    const all = this.place.json<{ series: string; name: string; complete: boolean }[]>(
      ['list', '--key-file', this.place.path('key')],
      { env: this.env },
    );
    return all.filter((archive) => archive.series === series);
  }
}

/** A run under way. */
export class RunningJob {
  readonly child: ChildProcess;
  readonly events: RunEvent[] = [];
  private readonly ended: Promise<number | null>;
  private onEvent: () => void = () => undefined;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = once(child, 'close').then(([status]) => {
      this.onEvent();
      return status as number | null;
    });
    if (child.stdout === null) throw new Error('no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.events.push(...eventsOf(line));
      this.onEvent();
    });
    child.stderr?.resume();
  }

  /** Waits for an event; rejects when the run ends without it. */
  async until(wanted: (event: RunEvent) => boolean): Promise<void> {
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    while (!this.events.some(wanted)) {
      if (isOver) throw new Error(`the run ended without it: ${JSON.stringify(this.events)}`);
      await new Promise<void>((resolve) => (this.onEvent = resolve));
    }
  }

  /** Sends a signal and waits for the end. Gives the exit status; null after a signal that it did not catch. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.child.kill(signal);
    return await this.ended;
  }
}

export function eventsOf(text: string): RunEvent[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{"type":'))
    .map((line) => JSON.parse(line) as RunEvent);
}

/** How each step of a run ended: its name and status. */
export function stepsOf(events: readonly RunEvent[]): [string, number][] {
  return events.flatMap((event) =>
    event.type === 'step-ended' ? [[event.step, event.status] as [string, number]] : [],
  );
}
