import { systemErrorCode, type Clock } from '@cairn/core/server';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { HostedRepository } from '../repository/hosted-repository.ts';
import type { ScrubSettings } from '../settings.ts';
import type { Logger } from './logger.ts';
import { scrub, type ScrubProgress, type ScrubReport } from './scrub.ts';

/** How often it is looked whether a pass is due. */
const LOOK_MS = 60_000;
/** How often it is written down how far a pass has come. */
const NOTE_MS = 10_000;

/**
 * Scrubs each repository from time to time, one at a time, in the background. When the last pass ended, and how far this one has come,
 * outlive the process: with a low rate a pass takes weeks.
 */
export class ScrubSchedule {
  private readonly settings: ScrubSettings | undefined;
  private readonly repositories: readonly HostedRepository[];
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly reports = new Map<string, ScrubReport>();
  private readonly stopping = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    settings: ScrubSettings | undefined,
    repositories: readonly HostedRepository[],
    clock: Clock,
    logger: Logger,
  ) {
    this.settings = settings;
    this.repositories = repositories;
    this.clock = clock;
    this.logger = logger;
  }

  last(repository: HostedRepository): ScrubReport | undefined {
    return this.reports.get(repository.settings.name);
  }

  start(): void {
    if (this.settings !== undefined) void this.round(this.settings);
  }

  stop(): void {
    this.stopping.abort();
    clearTimeout(this.timer);
  }

  private async round(settings: ScrubSettings): Promise<void> {
    for (const repository of this.repositories) {
      try {
        await this.scrubIfDue(repository, settings);
      } catch (error) {
        this.logger.error('a scrub failed', { repository: repository.settings.name, error: String(error) });
      }
    }
    if (this.stopping.signal.aborted) return;
    this.timer = setTimeout(() => void this.round(settings), LOOK_MS);
    this.timer.unref();
  }

  private async scrubIfDue(repository: HostedRepository, { rate, everyMs }: ScrubSettings): Promise<void> {
    const { name, stateDirectory } = repository.settings;
    const path = join(stateDirectory, 'scrub.json');
    const before = this.reports.get(name) ?? (await readNote<ScrubReport>(path));
    if (before !== undefined) this.reports.set(name, before);
    if (before !== undefined && Number(this.clock.nowNs() / 1_000_000n) - before.endedMs < everyMs) return;
    const note = `${path}.begun`;
    let notedMs = this.clock.monotonicMs();
    const report = await scrub(repository.store, {
      rate,
      clock: this.clock,
      signal: this.stopping.signal,
      from: await readNote<ScrubProgress>(note),
      onProgress: async (progress) => {
        if (this.clock.monotonicMs() - notedMs < NOTE_MS && !this.stopping.signal.aborted) return;
        notedMs = this.clock.monotonicMs();
        await writeNote(note, progress);
      },
      onBad: (object, how) => this.logger.error('a damaged object', { repository: name, object, how }),
    });
    if (this.stopping.signal.aborted) return;
    this.reports.set(name, report);
    await writeNote(path, report);
    await rm(note, { force: true });
    const { objects, bytes, bad } = report;
    this.logger.info('scrub ended', { repository: name, objects, bytes, bad: bad.length });
  }
}

async function writeNote(path: string, note: ScrubReport | ScrubProgress): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(note), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function readNote<Note extends ScrubReport | ScrubProgress>(path: string): Promise<Note | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Note;
  } catch (error) {
    // A pass too many is better than one too few: what cannot be read is as good as absent.
    if (error instanceof SyntaxError || systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
