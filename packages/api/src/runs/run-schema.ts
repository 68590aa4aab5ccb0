import { RUN_KINDS, RUN_STATUSES, RUN_TRIGGERS, runJson, type RunRecord } from '@cairn/jobs';
import { z } from 'zod';

const TIME = z.string().describe('RFC 3339 in UTC');

/** A run as `cairn job status --json` shows it. */
export const RUN = z.strictObject({
  id: z.string(),
  job: z.string(),
  kind: z.enum(RUN_KINDS),
  trigger: z.enum(RUN_TRIGGERS),
  status: z.enum(['running', ...RUN_STATUSES]),
  started_at: TIME,
  ended_at: TIME.optional(),
  exit: z.int().optional(),
  seconds: z.number().optional(),
  figures: z.record(z.string(), z.number()).describe('numbers about the run, by name'),
  archive: z.string().optional().describe('name of the archive that was made'),
});

export function runBody(run: RunRecord): z.input<typeof RUN> {
  return RUN.parse(runJson(run));
}

/** One line of a run's record. */
export const RUN_EVENT = z.looseObject({ type: z.string(), at: TIME });
