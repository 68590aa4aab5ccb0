import type { State } from '../state/state.ts';

/** A mount as the panel made it. Whether it is there says the kernel, not this. */
export interface MountRecord {
  /** Of its directory: see `mountId`. */
  readonly id: string;
  readonly repository: string;
  /** Id and name of the archive; null for the whole repository. */
  readonly archive: { readonly id: string; readonly name: string } | null;
  readonly directory: string;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  /** The account that asked for it. */
  readonly account: string;
  /** True while the command that mounts has not said yet how it went. */
  readonly isBeginning: boolean;
}

interface Row {
  readonly id: string;
  readonly repository: string;
  readonly archive: string | null;
  readonly archive_name: string | null;
  readonly directory: string;
  readonly since_ms: number;
  readonly account: string;
  readonly beginning: number;
}

/** What the panel remembers of its mounts. */
export class MountRecords {
  private readonly state: State;

  constructor(state: State) {
    this.state = state;
  }

  all(): MountRecord[] {
    return this.state.all<Row>('SELECT * FROM mounts ORDER BY since_ms, id').map(recordOf);
  }

  find(id: string): MountRecord | undefined {
    const row = this.state.get<Row>('SELECT * FROM mounts WHERE id = ?', id);
    return row === undefined ? undefined : recordOf(row);
  }

  /** Adds a record, in the place of one of the same directory. */
  put({ id, repository, archive, directory, sinceMs, account, isBeginning }: MountRecord): void {
    this.state.run(
      'INSERT OR REPLACE INTO mounts (id, repository, archive, archive_name, directory, since_ms, account, beginning) ' +
        'VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      repository,
      archive?.id ?? null,
      archive?.name ?? null,
      directory,
      sinceMs,
      account,
      isBeginning ? 1 : 0,
    );
  }

  /** The command that mounts has said that it is there. */
  begun(id: string): void {
    this.state.run('UPDATE mounts SET beginning = 0 WHERE id = ?', id);
  }

  remove(id: string): void {
    this.state.run('DELETE FROM mounts WHERE id = ?', id);
  }
}

function recordOf(row: Row): MountRecord {
  const { id, repository, archive, archive_name: name, directory, since_ms: sinceMs, account, beginning } = row;
  return {
    id,
    repository,
    archive: archive === null ? null : { id: archive, name: name ?? archive },
    directory,
    sinceMs,
    account,
    isBeginning: beginning !== 0,
  };
}
