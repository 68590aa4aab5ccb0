import { CairnError, isCairnError, type ArchivePin, type ArchiveRecord, type Repository } from '@cairn/core';

/** How often it is looked whether a pin must be renewed, milliseconds. A pin lasts a day, and is renewed after half of it. */
const LOOK_MS = 60_000;

/** Errors that keep nobody from reading: a key or a store that cannot write, a disk that is full. */
const HELPED_WITHOUT_PIN: readonly string[] = ['STORE_DENIED', 'STORE_FULL', 'RIGHT_MISSING', 'CORRUPT'];

/**
 * Keeps every archive that somebody is in from being dropped, as long as the mount is there: what is deleted meanwhile stays
 * readable. Nobody waits for a mount; the pins of one that was killed end by themselves.
 */
export class MountPins {
  private readonly repository: Repository;
  private readonly holder: string;
  private readonly onProblem: (text: string) => void;
  private readonly pins = new Map<string, ArchivePin>();
  private readonly timer: NodeJS.Timeout;
  private renewing: Promise<void> = Promise.resolve();

  /** @param holder who reads, for people who read the log. */
  constructor(repository: Repository, holder: string, onProblem: (text: string) => void) {
    this.repository = repository;
    this.holder = holder;
    this.onProblem = onProblem;
    this.timer = setInterval(() => (this.renewing = this.renewing.then(() => this.renew())), LOOK_MS);
    this.timer.unref();
  }

  /** Rejects with `ARCHIVE_MISSING` when it was dropped, with `RIGHT_MISSING`, and as stores do. */
  async pin(archive: ArchiveRecord): Promise<void> {
    if (this.pins.has(archive.id)) return;
    try {
      this.pins.set(archive.id, await this.repository.pin([archive], { holder: this.holder }));
    } catch (error) {
      if (!isCairnError(error) || !HELPED_WITHOUT_PIN.includes(error.code)) throw error;
      // Where all archives are mounted only this message is told, and not the hint.
      throw new CairnError(
        error.code,
        `${archive.name} cannot be pinned, and --no-pin is not given: ${error.message}`,
        {
          hint: 'Mount it with --no-pin: then it is readable until it was deleted and compact has dropped it.',
          cause: error,
        },
      );
    }
  }

  private async renew(): Promise<void> {
    for (const [id, pin] of this.pins) {
      if (!pin.isRenewalDue) continue;
      try {
        await pin.renew();
      } catch (error) {
        const name = this.repository.access.log.state.archives.get(id)?.name ?? id;
        const how = isCairnError(error) ? error.message : String(error);
        // With half of its time left there are more attempts; without, this is the last word.
        this.onProblem(`the pin of ${name} could not be renewed${pin.isReliable ? '' : ' and has ended'}: ${how}`);
      }
    }
  }

  /** Ends all pins. One that cannot be ended ends by itself; that is told. */
  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.renewing;
    for (const [id, pin] of this.pins) {
      this.pins.delete(id);
      try {
        await pin.release();
      } catch (error) {
        this.onProblem(`a pin stays until it ends by itself: ${isCairnError(error) ? error.message : String(error)}`);
      }
    }
  }
}
