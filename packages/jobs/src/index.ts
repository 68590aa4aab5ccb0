// Runs, and what is remembered of them.
export type {
  EndedEvent,
  Figures,
  NewEvent,
  RunEvent,
  RunKind,
  RunStatus,
  RunTrigger,
  StartedEvent,
  StepStatus,
} from './runs/run-events.ts';
export { parseRunEvent, RUN_KINDS, RUN_STATUSES, RUN_TRIGGERS } from './runs/run-events.ts';
export { isRunId, JOB_NAME, newRunId, timeText } from './runs/run-id.ts';
export { claimHolder, claimJob, type Claim, type ClaimHolder } from './runs/claim.ts';
export { runJson, type RunJson, type RunRecord } from './runs/run-record.ts';
export { RunStore, type CreateRunOptions, type RunFilter, type RunStoreOptions } from './runs/run-store.ts';
export type { RunWriter } from './runs/run-writer.ts';
export type { FollowedEvent } from './runs/follow-events.ts';

// Job files.
export {
  examineJob,
  nameOfFile,
  parseJobText,
  problemText,
  readJobFile,
  readJobText,
  type ExaminedJob,
  type JobFile,
  type JobProblem,
} from './job-file/read-job.ts';
export { jobPath, listJobs, type ListedJob } from './job-file/jobs-directory.ts';
export { jobFileSchema, type JobDefinition, type JobFileInput } from './job-file/schema.ts';
export type { HookDefinition, MainStep } from './job-file/hook-schema.ts';
export type { BandwidthDefinition, LimitsDefinition } from './job-file/limits-schema.ts';
export type { ScheduleDefinition } from './job-file/schedule-schema.ts';

// Dumps of databases, and how they go back.
export { detectDumps, type DetectedDatabase } from './dumps/detect-dumps.ts';
export type { DumpContext, PreparedContent, PreparedDump } from './dumps/dump-context.ts';
export {
  dumpDirectory,
  dumpName,
  dumpSchema,
  dumpsSchema,
  type DumpDefinition,
  type DumpKind,
} from './dumps/dump-schema.ts';
export { prepareDump } from './dumps/prepare-dump.ts';
export { applyDumpRestore, assertFree, planDumpRestore, type RestoreDumpReport } from './dumps/restore-dump.ts';
export type { RestoreDumpRequest, RestoreStep } from './dumps/restore-plan.ts';

// Alerts.
export type { AlertContext } from './alerts/alert-context.ts';
export type { AlertedRun, AlertFacts } from './alerts/alert-event.ts';
export { eventOf } from './alerts/alert-event.ts';
export {
  alertsSchema,
  mailSchema,
  type AlertEvent,
  type AlertsDefinition,
  type MailDefinition,
} from './alerts/alert-schema.ts';
export { sendMail, type MailNotice } from './alerts/mail.ts';
export { sendAlerts, sendStart, type AlertResult } from './alerts/send-alerts.ts';

// Running jobs.
export { runJob, type RunJobOptions } from './runner/run-job.ts';
export { pruneOptions } from './runner/maintenance-steps.ts';
export type { RunOutcome, StepOutcome } from './runner/outcome.ts';
export { openUnattended, type JobDirectories, type UnattendedOptions } from './runner/unattended-repository.ts';
export { planJob, type JobPlan, type LeftOut, type PlanJobOptions } from './plan/plan-job.ts';

// When they run.
export { CronSchedule } from './schedule/cron.ts';
export { Daemon, type DaemonOptions } from './schedule/daemon.ts';
export { jobStatus, type JobStatus } from './schedule/job-status.ts';
export { missedRuns, zoneOf } from './schedule/missed-runs.ts';
export { TurnQueue, type Turn, type TurnQueueOptions } from './schedule/turn-queue.ts';
export {
  DAEMON_UNIT,
  daemonUnit,
  UNIT_PREFIX,
  unitNames,
  unitsOf,
  type Unit,
  type UnitOptions,
} from './systemd/units.ts';
