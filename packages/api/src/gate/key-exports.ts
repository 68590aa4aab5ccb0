import {
  CairnError,
  fingerprintOf,
  isCairnError,
  nodeSuite,
  parseRecoveryKey,
  recoveryText,
  type Environment,
} from '@cairn/core';
import type { RunRecord, RunStore, RunWriter, StepStatus } from '@cairn/jobs';
import type { Logger } from '@cairn/repo-server/serving';

import type { OpenRepositories } from '../repositories/open-repositories.ts';
import { fingerprintText, type KeyGate } from './key-gate.ts';

/** A step of an export, as its record has it. */
export interface ExportStep {
  readonly step: string;
  /** Null while it is under way. */
  readonly status: StepStatus | null;
  readonly text: string | undefined;
}

export interface ExportProgress {
  readonly run: RunRecord;
  readonly steps: readonly ExportStep[];
}

/** Exports of recovery keys: runs of this process, because the key is in it already and must not go through another. */
export class KeyExports {
  private readonly gate: KeyGate;
  private readonly runs: RunStore;
  private readonly repositories: OpenRepositories;
  private readonly environment: Environment;
  private readonly logger: Logger;
  private readonly underWay = new Set<Promise<void>>();

  constructor(parts: {
    readonly gate: KeyGate;
    readonly runs: RunStore;
    readonly repositories: OpenRepositories;
    readonly environment: Environment;
    readonly logger: Logger;
  }) {
    this.gate = parts.gate;
    this.runs = parts.runs;
    this.repositories = parts.repositories;
    this.environment = parts.environment;
    this.logger = parts.logger;
  }

  /** Begins an export, and gives the id of its run. Rejects with `NOT_FOUND`, `RIGHT_MISSING`, and `JOB_BUSY` while one is under way. */
  async start(name: string): Promise<string> {
    const fingerprint = fingerprintText(await this.gate.rootKey(name));
    const run = await this.runs.create(jobOf(name), 'key-export', 'api');
    this.gate.exportBegan(name, fingerprint, run.id);
    const work = this.export(name, run).catch((error: unknown) => {
      this.logger.error('the record of an export could not be ended', { repository: name, error: String(error) });
    });
    this.underWay.add(work);
    void work.finally(() => this.underWay.delete(work));
    return run.id;
  }

  /** How far the last export of the current root key is; undefined when there was none. Rejects as `KeyGate.standing`. */
  async progress(name: string): Promise<ExportProgress | undefined> {
    const { exportRun } = await this.gate.standing(name);
    if (exportRun === undefined) return undefined;
    const run = await this.runs.get(exportRun);
    const steps = new Map<string, ExportStep>();
    for await (const { event, offset } of this.runs.follow(exportRun, 0)) {
      if (event.type === 'step-started') steps.set(event.step, { step: event.step, status: null, text: undefined });
      if (event.type === 'step-ended')
        steps.set(event.step, { step: event.step, status: event.status, text: event.text });
      // Of a run that has ended all is read; of one that is under way, what comes later is of the next question.
      if (run.endedAt === undefined && offset >= run.size) break;
    }
    return { run, steps: [...steps.values()] };
  }

  /** Waits for exports under way. */
  async settle(): Promise<void> {
    await Promise.all(this.underWay);
  }

  /** Shows that this key opens this repository, and that the text which will be shown is that key. Only then it counts as exported. */
  private async export(name: string, run: RunWriter): Promise<void> {
    try {
      const key = await step(run, 'key', async () => await this.gate.rootKey(name));
      const { address } = this.repositories.config(name);
      await step(run, 'repository', async () => {
        const opened = await this.repositories.use(name, async ({ repository }) => repository.fingerprint);
        assertSame(opened === fingerprintText(key), 'the key file was replaced meanwhile');
      });
      await step(run, 'text', async () => {
        const createdNs = this.environment.clock.nowNs();
        const text = recoveryText(nodeSuite, { capabilities: key.capabilities, address, createdNs });
        const read = fingerprintOf(nodeSuite, parseRecoveryKey(nodeSuite, text));
        assertSame(Buffer.compare(read, key.fingerprint) === 0, 'the text does not give the key again');
      });
      this.gate.exported(name, fingerprintText(key));
      await run.end({ status: 'success', exit: 0, figures: {} });
    } catch (error) {
      await run.end({ status: 'failed', exit: isCairnError(error) ? error.exit : 1, figures: {} });
    }
  }
}

/** Runs have the name of a job; this one is no job of a file. */
function jobOf(repository: string): string {
  return `key-export-${repository}`;
}

async function step<T>(run: RunWriter, name: string, work: () => Promise<T>): Promise<T> {
  const from = run.seconds;
  run.append({ type: 'step-started', step: name });
  try {
    const result = await work();
    run.append({ type: 'step-ended', step: name, status: 0, seconds: run.seconds - from });
    return result;
  } catch (error) {
    const { code, message } = isCairnError(error) ? error : { code: 'INTERNAL' as const, message: String(error) };
    const status = code === 'STORE_UNREACHABLE' ? 2 : 1;
    run.append({ type: 'step-ended', step: name, status, seconds: run.seconds - from, code, text: message });
    throw error;
  }
}

function assertSame(condition: boolean, otherwise: string): void {
  if (!condition) throw new CairnError('CONFLICT', otherwise, { hint: 'Export again.' });
}
