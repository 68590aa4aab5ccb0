import { isCairnError } from '@cairn/core';
import { sendMail, type MailDefinition } from '@cairn/jobs';
import type { Logger } from '@cairn/repo-server/serving';

import type { OpenRepositories } from '../repositories/open-repositories.ts';
import type { GateStanding, KeyGate } from './key-gate.ts';

/** Milliseconds between two looks for a key that nobody was told of. */
const EVERY_MS = 300_000;

export interface NoticeParts {
  readonly gate: KeyGate;
  readonly repositories: OpenRepositories;
  readonly logger: Logger;
  /** Absent: nobody is told. */
  readonly mail: MailDefinition | undefined;
  /** What the mail says that is to be opened. */
  readonly url: string;
  readonly signal: AbortSignal;
}

/**
 * Tells by mail, once for each root key, that a repository is there whose recovery key nobody has saved: whoever looks into the panel
 * learns it there, but backups may be switched on long before anybody looks. A mail that fails is tried again, and never stops the panel.
 */
export class ActivationNotices {
  private readonly parts: NoticeParts;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();

  constructor(parts: NoticeParts) {
    this.parts = parts;
  }

  start(): void {
    if (this.parts.mail === undefined) return;
    this.looking = this.look();
    this.timer = setInterval(() => {
      this.looking = this.looking.then(() => this.look());
    }, EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  private async look(): Promise<void> {
    const { gate, repositories, logger } = this.parts;
    for (const name of repositories.names()) {
      try {
        const standing = await gate.standing(name);
        if (standing.fingerprint === undefined || standing.savedMs !== null || gate.wasNoticed(standing)) continue;
        await this.send(standing);
        gate.noticed(standing);
        logger.info('told by mail that a recovery key is not saved', { repository: name });
      } catch (error) {
        if (this.parts.signal.aborted) return;
        const reason = isCairnError(error) ? error.message : String(error);
        logger.warn('could not tell that a recovery key is not saved', { repository: name, error: reason });
      }
    }
  }

  private async send({ repository, fingerprint }: GateStanding): Promise<void> {
    const { mail, url, signal } = this.parts;
    if (mail === undefined) return;
    const text = [
      `Backups into the repository ${repository} are switched on.`,
      '',
      'Only its recovery key can read them when this machine is lost: nobody else has it, and nobody can make it again.',
      `Open the panel and save it: ${url}`,
      '',
      'Until that is done, the panel does nothing else.',
      '',
      `Fingerprint of the key: ${fingerprint ?? ''}`,
      '',
    ].join('\n');
    await sendMail(mail, { subject: `Save the recovery key of ${repository}`, text }, signal);
  }
}
