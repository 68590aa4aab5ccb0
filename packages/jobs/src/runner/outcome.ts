import { ERROR_TABLE, EXIT_INCOMPLETE, isCairnError, type CairnError, type ErrorCode } from '@cairn/core';

import type { Figures, RunStatus, StepStatus } from '../runs/run-events.ts';

/** How one step ended. */
export interface StepOutcome {
  readonly step: string;
  readonly status: StepStatus;
  readonly seconds: number;
  /** Undefined when nothing failed. */
  readonly error: CairnError | undefined;
}

/** How a run ended. */
export interface RunOutcome {
  readonly run: string;
  readonly job: string;
  readonly status: Exclude<RunStatus, 'lost'>;
  /** Exit status for the process: that of the first step that failed, 3 when there are only warnings. */
  readonly exit: number;
  readonly seconds: number;
  /** In the order in which they ended. */
  readonly steps: readonly StepOutcome[];
  readonly figures: Figures;
  /** Name of the archive that was made. */
  readonly archive: string | undefined;
}

/** Codes that say that something is missing which must be there before. */
const PREREQUISITES: readonly ErrorCode[] = [
  'USAGE',
  'REPOSITORY_MISSING',
  'WRONG_KEY',
  'RIGHT_MISSING',
  'HOST_UNSUPPORTED',
  'NOT_FOUND',
  'STORE_FULL',
];

/** Codes of what may pass by itself, so that it is worth trying again within one run. */
const PASSING: readonly ErrorCode[] = ['STORE_UNREACHABLE', 'STORE_FAILED', 'PLAN_STALE'];

/** The status of a step that ended with this error. */
export function stepStatus(error: CairnError | undefined): StepStatus {
  if (error === undefined) return 0;
  if (error.code === 'STORE_UNREACHABLE') return 2;
  return PREREQUISITES.includes(error.code) ? 3 : 1;
}

/** True when trying again may help. */
export function mayPass(error: unknown): error is CairnError {
  return isCairnError(error) && PASSING.includes(error.code);
}

/** How the run as a whole ended, with the first failure kept. */
export function verdict(
  steps: readonly StepOutcome[],
  warnings: number,
  isCancelled: boolean,
): Pick<RunOutcome, 'status' | 'exit'> {
  if (isCancelled) return { status: 'cancelled', exit: ERROR_TABLE.CANCELLED.exit };
  const first = steps.find(({ status }) => status !== 0);
  if (first !== undefined) return { status: 'failed', exit: first.error?.exit ?? ERROR_TABLE.STEP_FAILED.exit };
  return warnings > 0 ? { status: 'warning', exit: EXIT_INCOMPLETE } : { status: 'success', exit: 0 };
}
