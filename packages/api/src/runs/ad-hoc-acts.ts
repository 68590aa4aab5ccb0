import type { OpenRepositories } from '../repositories/open-repositories.ts';
import type { JobFileInput } from '@cairn/jobs';
import { createHash } from 'node:crypto';
import { stringify } from 'smol-toml';

/** Characters that the name of a job may have. */
const MOST_NAME = 63;

export interface CheckRequest {
  /** Milliseconds for reading data. */
  readonly timeMs?: number | undefined;
  /** Percent of the packs whose data is read. */
  readonly percent?: number | undefined;
}

/** Job files for what somebody asks for once: the same runner does it as does a nightly job. */
export class AdHocActs {
  private readonly repositories: OpenRepositories;

  constructor(repositories: OpenRepositories) {
    this.repositories = repositories;
  }

  /** Rejects with `NOT_FOUND`. */
  compact(repository: string, graceMs: number): string {
    return this.job(repository, 'compact', { grace: `${graceMs}ms` });
  }

  check(repository: string, { timeMs, percent }: CheckRequest): string {
    return this.job(repository, 'check', {
      ...(timeMs === undefined ? {} : { 'time-budget': `${timeMs}ms` }),
      ...(percent === undefined ? {} : { share: `${percent}%` }),
    });
  }

  /** The repository whose act has that name; undefined for other jobs. */
  repositoryOf(job: string): string | undefined {
    return this.repositories.names().find((name) => job === actName('compact', name) || job === actName('check', name));
  }

  private job(repository: string, act: 'compact' | 'check', settings: object): string {
    const { address, 'key-file': keyFile, ...files } = this.repositories.config(repository);
    const { 'passphrase-file': passphraseFile, 'credentials-file': credentialsFile } = files;
    const job: JobFileInput = {
      name: actName(act, repository),
      repository: {
        address,
        'key-file': keyFile,
        ...(passphraseFile === undefined ? {} : { 'passphrase-file': passphraseFile }),
        ...(credentialsFile === undefined ? {} : { 'credentials-file': credentialsFile }),
      },
      [act]: settings,
    };
    return stringify(job);
  }
}

/** Name of the job of an act. A long one ends with a part of its hash, so that two repositories never share one. */
function actName(act: string, repository: string): string {
  const name = `panel-${act}-${repository}`;
  if (name.length <= MOST_NAME) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.slice(0, MOST_NAME - hash.length - 1)}-${hash}`;
}
