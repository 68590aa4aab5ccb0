import { CairnError, isCairnError, type ArchiveView } from '@cairn/core';

import { planCommandRestore } from './command-dump.ts';
import type { DumpContext } from './dump-context.ts';
import type { DumpDefinition } from './dump-schema.ts';
import { readManifest } from './manifest.ts';
import { planMongodbRestore } from './mongodb.ts';
import { planMysqlRestore } from './mysql-restore.ts';
import { planOpenldapRestore } from './openldap-restore.ts';
import { planPostgresqlRestore } from './postgresql-restore.ts';
import type { RestoreDumpRequest, RestoreStep } from './restore-plan.ts';
import { planSqliteRestore } from './sqlite-restore.ts';

/**
 * How a dump in an archive goes back into its database: steps in the order in which they are to be applied. Nothing is changed.
 * Rejects with `PATH_MISSING` when the archive has not what is asked for, with `USAGE` when the request does not fit the dump,
 * with `HOST_UNSUPPORTED` when a program is missing, and with `SOURCE_UNREADABLE` when the server cannot be asked.
 */
export async function planDumpRestore(
  definition: DumpDefinition,
  view: ArchiveView,
  request: RestoreDumpRequest,
  context: DumpContext,
): Promise<readonly RestoreStep[]> {
  if (definition.kind === 'command') return await planCommandRestore(definition, request, view, context);
  const manifest = await readManifest(view, definition);
  const setup = { request, manifest, view };
  switch (definition.kind) {
    case 'mysql':
      return await planMysqlRestore({ ...setup, definition }, context);
    case 'postgresql':
      return await planPostgresqlRestore({ ...setup, definition }, context);
    case 'mongodb':
      return await planMongodbRestore({ ...setup, definition }, context);
    case 'openldap':
      return await planOpenldapRestore({ ...setup, definition }, context);
    case 'sqlite':
      return await planSqliteRestore({ ...setup, definition }, context);
  }
}

/** Rejects with `TARGET_EXISTS` when something stands in the way and may not be replaced. */
export function assertFree(steps: readonly RestoreStep[], request: RestoreDumpRequest): void {
  const standing = steps.flatMap((step) => step.standing ?? []);
  if (standing.length === 0 || request.overwrite === true) return;
  throw new CairnError('TARGET_EXISTS', `the restore would replace ${standing.join('; ')}`, {
    hint: 'Add --overwrite to replace it, or restore one database under another name: --database NAME --into OTHER.',
  });
}

/** What came of a step. */
export type StepResult = 'restored' | 'failed' | 'not begun';

export interface RestoreDumpReport {
  readonly steps: readonly (Pick<RestoreStep, 'what' | 'path' | 'bytes'> & { readonly result: StepResult })[];
  /** Why it broke off: `TARGET_FAILED`, `CANCELLED`, or what the archive rejected with. Its hint says what was changed by then. */
  readonly failure?: CairnError;
}

/**
 * Applies a plan, step by step, up to the first that fails: the report tells what is done, and what is half there.
 * Rejects with `TARGET_EXISTS` before anything is changed.
 * @param onStep hears of each step before it begins.
 */
export async function applyDumpRestore(
  steps: readonly RestoreStep[],
  request: RestoreDumpRequest,
  onStep: (step: RestoreStep) => void = () => undefined,
): Promise<RestoreDumpReport> {
  assertFree(steps, request);
  const results = new Map<RestoreStep, StepResult>();
  let failure: CairnError | undefined;
  for (const step of steps) {
    onStep(step);
    try {
      await step.apply();
      results.set(step, 'restored');
    } catch (error) {
      results.set(step, 'failed');
      failure = failureOf(error, step, [...results].filter(([, result]) => result === 'restored').length);
      break;
    }
  }
  const told = steps.map((step) => {
    const { what, path, bytes } = step;
    return { what, path, bytes, result: results.get(step) ?? 'not begun' };
  });
  return { steps: told, ...(failure === undefined ? {} : { failure }) };
}

function failureOf(error: unknown, step: RestoreStep, done: number): CairnError {
  if (!isCairnError(error)) throw error;
  const before = done === 0 ? 'Nothing was restored before it.' : `Restored before it: ${done} of the steps.`;
  const { hint } = error;
  return new CairnError(error.code, `${step.what}: ${error.message}`, {
    hint: `There may be now: ${step.half}. ${before}${hint === undefined ? '' : ` ${hint}`} Run it again with --overwrite when the cause is gone.`,
    cause: error,
  });
}
