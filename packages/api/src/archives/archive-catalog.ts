import { Turns, type ArchiveRecord, type ChunkSource, type Clock, type Repository } from '@cairn/core';

import { Outlooks } from '../retention/outlook.ts';
import type { PolicyBook } from '../retention/series-policy.ts';
import type { Opened } from '../repositories/open-repositories.ts';
import { ArchiveListing } from './archive-listing.ts';
import { ArchiveViewCache, type ArchiveSource } from './archive-view-cache.ts';
import { patientSource } from './patient-source.ts';

/** Milliseconds after which a listing is made anew though nothing was decided: what it foresees moves with the days. */
const HOLDS_MS = 3_600_000;

/** Names that are remembered with what they mean. */
const MOST_REFS = 1_000;

/** The listing of a repository at one state of its log. */
interface Listed {
  readonly key: string;
  readonly listing: Promise<ArchiveListing>;
}

/** What is known of one opening of a repository. */
interface Catalogued {
  readonly outlooks: Outlooks;
  listed: Listed | undefined;
  /** What names meant when the log had so many entries. */
  refsAt: number;
  readonly refs: Map<string, ArchiveRecord>;
}

/** The archives of all repositories as requests ask for them: what was worked out for one request serves the next. */
export class ArchiveCatalog {
  readonly views: ArchiveViewCache;
  private readonly clock: Clock;
  private readonly policies: (repository: string) => Promise<PolicyBook>;
  private readonly known = new WeakMap<Repository, Catalogued>();

  /** @param policies which policy holds for the series of a repository of that name. */
  constructor(clock: Clock, policies: (repository: string) => Promise<PolicyBook>) {
    this.clock = clock;
    this.policies = policies;
    this.views = new ArchiveViewCache(clock);
  }

  /** The listing at the state to which the log was replayed. Rejects as `planPrune` does. */
  async listing(name: string, repository: Repository): Promise<ArchiveListing> {
    const policies = await this.policies(name);
    const known = this.catalogued(repository);
    const hour = Math.floor(Number(this.clock.nowNs() / 1_000_000n) / HOLDS_MS);
    const key = `${repository.access.log.seq} ${hour} ${policies.key}`;
    if (known.listed?.key === key) return await known.listed.listing;
    const listed = { key, listing: this.make(repository, known.outlooks, policies) };
    known.listed = listed;
    listed.listing.catch(() => {
      // The next request tries again.
      if (known.listed === listed) known.listed = undefined;
    });
    return await listed.listing;
  }

  /**
   * The live archive that is meant, by id, name, the beginning of one, `latest` or `SERIES@latest`. Finding one by its name means
   * looking at all, so it is remembered for as long as nothing was decided. Rejects as `Repository.archive` does.
   */
  archive(repository: Repository, ref: string): ArchiveRecord {
    const { log } = repository.access;
    const byId = log.state.archives.get(ref);
    if (byId?.state === 'live') return byId;
    const known = this.catalogued(repository);
    if (known.refsAt !== log.seq || known.refs.size > MOST_REFS) known.refs.clear();
    known.refsAt = log.seq;
    const found = known.refs.get(ref) ?? repository.archive(ref);
    known.refs.set(ref, found);
    return found;
  }

  /** Where an archive is read from. @param ref as the command line takes it: an id, a name, the beginning of one, `latest`. */
  async source(opened: Opened, ref: string): Promise<ArchiveSource> {
    const archive = this.archive(opened.repository, ref);
    return { archive, source: await this.reader(opened) };
  }

  /** What chunks are read from by one request: the reader that all share, with turns for the others. */
  async reader(opened: Opened): Promise<ChunkSource> {
    return patientSource(await opened.reader(), this.clock);
  }

  private async make(repository: Repository, outlooks: Outlooks, policies: PolicyBook): Promise<ArchiveListing> {
    const archives = repository.archives({ deleted: true });
    return await ArchiveListing.make(archives, await outlooks.of(repository, policies), new Turns(this.clock));
  }

  private catalogued(repository: Repository): Catalogued {
    const known = this.known.get(repository);
    if (known !== undefined) return known;
    const made: Catalogued = {
      outlooks: new Outlooks(this.clock),
      listed: undefined,
      refsAt: 0,
      refs: new Map(),
    };
    this.known.set(repository, made);
    return made;
  }
}
