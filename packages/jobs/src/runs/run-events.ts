/** What a run is for: a whole job, or one act that somebody asked for. */
export const RUN_KINDS = ['job', 'backup', 'prune', 'compact', 'check', 'key-export'] as const;
export type RunKind = (typeof RUN_KINDS)[number];

/** What started a run. `timer` is a timer of the system, `schedule` the daemon. */
export const RUN_TRIGGERS = ['manual', 'schedule', 'change', 'api', 'timer'] as const;
export type RunTrigger = (typeof RUN_TRIGGERS)[number];

/** How a run ended. `lost`: its process died before it could say how. */
export const RUN_STATUSES = ['success', 'warning', 'failed', 'cancelled', 'lost'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** 0: done; 1: failed; 2: the network could not be reached; 3: something that must be there before is missing. */
export type StepStatus = 0 | 1 | 2 | 3;

/** Numbers about a run, by name: `files`, `new_bytes`, … */
export type Figures = Readonly<Record<string, number>>;

/** One line of a run's `events.jsonl`. Times are RFC 3339 in UTC. No event holds a secret, nor the arguments of a command. */
export type RunEvent =
  | {
      readonly type: 'started';
      readonly at: string;
      readonly run: string;
      readonly job: string;
      readonly kind: RunKind;
      readonly trigger: RunTrigger;
      readonly pid: number;
    }
  | { readonly type: 'step-started'; readonly at: string; readonly step: string }
  | {
      readonly type: 'progress';
      readonly at: string;
      readonly step: string;
      readonly done_bytes?: number;
      readonly total_bytes?: number;
      readonly files?: number;
      readonly stored_bytes?: number;
      readonly text?: string;
    }
  | {
      readonly type: 'log';
      readonly at: string;
      readonly level: 'info' | 'warning' | 'error';
      readonly step?: string;
      readonly text: string;
    }
  | {
      readonly type: 'step-ended';
      readonly at: string;
      readonly step: string;
      readonly status: StepStatus;
      readonly seconds: number;
      /** A code of the table of errors; absent when nothing failed. */
      readonly code?: string;
      readonly text?: string;
      readonly figures?: Figures;
    }
  | {
      readonly type: 'ended';
      readonly at: string;
      readonly status: RunStatus;
      /** Exit status of the run's process. */
      readonly exit: number;
      readonly seconds: number;
      readonly figures: Figures;
      /** Name of the archive that was made. */
      readonly archive?: string;
    };

export type StartedEvent = Extract<RunEvent, { type: 'started' }>;
export type EndedEvent = Extract<RunEvent, { type: 'ended' }>;

/** An event as the caller of a writer gives it; the writer adds the time. */
export type NewEvent = RunEvent extends infer Event ? (Event extends RunEvent ? Omit<Event, 'at'> : never) : never;

const TYPES: readonly string[] = ['started', 'step-started', 'progress', 'log', 'step-ended', 'ended'];

/** The event of one line; undefined for a line that is none, as a process leaves it that was killed while it wrote. */
export function parseRunEvent(line: string): RunEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || !('at' in value)) return undefined;
  return TYPES.includes(String(value.type)) ? (value as RunEvent) : undefined;
}
