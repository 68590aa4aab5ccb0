import { CairnError, LIMITS } from '@cairn/core/server';

import type { Client } from '../clients/client.ts';
import { mayDo } from '../roles.ts';
import type { HostedRepository } from './hosted-repository.ts';

const DAY_MS = 86_400_000;

/** Part of the reserve that log entries of clients that cannot free space must leave. */
const RESERVED_FOR_FREEING = 0.5;

const NO_ROOM_HINT = 'Delete archives and compact, which is still possible, or give it more space.';

/** How much a client may still write: by its quota, by what the repository and the disk have, and of log entries by the day. */
export class Allowance {
  private readonly repository: HostedRepository;
  private readonly client: Client;

  constructor(repository: HostedRepository, client: Client) {
    this.repository = repository;
    this.client = client;
  }

  /** Whether this client can give space back, and so must be able to write when there is none. */
  get mayFree(): boolean {
    return mayDo(this.client.role, 'log SWEEP', false);
  }

  /** Rejects with `STORE_FULL` when so many bytes more are beyond the quota. */
  assertQuota(bytes: number): void {
    const { quotaBytes, name } = this.client;
    if (quotaBytes === undefined || this.repository.ledger.use(name).bytes + bytes <= quotaBytes) return;
    throw new CairnError('STORE_FULL', `the quota of ${name} is used up`, {
      hint: 'Raise it on the server, or delete archives and compact.',
    });
  }

  /** Counts an upload as one that is under way, if there is room for it. Gives what ends that. Rejects with `STORE_FULL`. */
  async claimRoom(sizeBytes: number): Promise<() => void> {
    const { repository, client } = this;
    const freeBytes = await repository.freeBytes();
    // From here to the counting nothing waits: uploads that come at once must not all find the same room.
    this.assertQuota(repository.incomingOf(client.name) + sizeBytes);
    if (repository.hasRoom(sizeBytes, freeBytes, this.mayFree ? 0 : 1)) {
      return repository.announce(client.name, sizeBytes);
    }
    throw new CairnError('STORE_FULL', `the repository ${client.repository} has no room left`, { hint: NO_ROOM_HINT });
  }

  /**
   * Rejects with `STORE_FULL` when the client has written as many log entries, or bytes of them, as it may in 24 hours, or when there is
   * room only for those who can give space back: half of the reserve is theirs alone.
   */
  async assertEntry(sizeBytes: number): Promise<void> {
    const { repository } = this;
    await repository.ledger.follow();
    this.assertEntriesOfDay(sizeBytes);
    if (this.mayFree || repository.hasRoom(sizeBytes, await repository.freeBytes(), RESERVED_FOR_FREEING)) return;
    const what = `the repository ${this.client.repository} has no room left for this log entry`;
    throw new CairnError('STORE_FULL', what, { hint: NO_ROOM_HINT });
  }

  private assertEntriesOfDay(sizeBytes: number): void {
    const { entriesPerDay, name } = this.client;
    const since = this.repository.log.nowMs() - DAY_MS;
    const recent = this.repository.ledger.use(name).entries.filter(({ t }) => t > since);
    if (recent.length >= entriesPerDay) {
      throw new CairnError(
        'STORE_FULL',
        `${name} has written ${recent.length} log entries in 24 hours, and may write no more`,
        {
          hint: 'If that is no mistake, let `cairn-server client add` give it a higher --entries-per-day.',
        },
      );
    }
    const bytes = recent.reduce((sum, entry) => sum + entry.bytes, 0);
    // Entries are never removed, and no quota counts them. Who can give space back needs them for that.
    if (this.mayFree || bytes + sizeBytes <= LIMITS.serverEntryBytesPerDay) return;
    throw new CairnError(
      'STORE_FULL',
      `${name} has written log entries of ${bytes} bytes in 24 hours, and may write no more`,
      {
        hint: 'Nothing that Cairn does takes so much: `cairn-server audit` shows what this client wrote.',
      },
    );
  }
}
