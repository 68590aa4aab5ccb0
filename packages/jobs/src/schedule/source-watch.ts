import { systemErrorCode } from '@cairn/core';
import { statSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';

/** Milliseconds for which changes are gathered before anybody looks at them: programs write in bursts. */
const GATHER_MS = 200;
/** Paths that are gathered. Where more change within that time, one of them counts, whatever they are. */
const MOST_PATHS = 1_000;

export interface SourceWatchOptions {
  /** Whether a backup sees a change at one of these paths. Never rejects. */
  readonly counts: (paths: readonly string[]) => Promise<boolean>;
  readonly onChange: () => void;
  /** Hears once of each source that cannot be watched: until it can be, only the schedule backs it up. */
  readonly onFailure: (text: string) => void;
}

/** Watches directories and all below them. */
export class SourceWatch {
  private readonly sources: readonly string[];
  private readonly options: SourceWatchOptions;
  private readonly watchers = new Map<string, FSWatcher>();
  private readonly told = new Set<string>();
  private readonly changed = new Set<string>();
  private gathering: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(sources: readonly string[], options: SourceWatchOptions) {
    this.sources = sources;
    this.options = options;
    for (const source of sources) this.begin(source);
  }

  /** Watches sources that could not be watched before, as they may be there now; one that is counts as changed. */
  beginAgain(): void {
    for (const source of this.sources) if (!this.watchers.has(source) && this.begin(source)) this.add(source);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.gathering);
    for (const watcher of this.watchers.values()) watcher.close();
  }

  private begin(source: string): boolean {
    try {
      // Node 24 watches what is not there, too, and never says so.
      statSync(source);
      const watcher = watch(source, { recursive: true, persistent: false }, (_, name) =>
        this.add(name === null ? source : join(source, name)),
      );
      // As of a directory below it that nobody may read: the rest is watched all the same.
      watcher.on('error', (error) => this.fail(source, error));
      this.watchers.set(source, watcher);
      return true;
    } catch (error) {
      this.fail(source, error);
      return false;
    }
  }

  private fail(source: string, error: unknown): void {
    if (this.told.has(source)) return;
    this.told.add(source);
    this.options.onFailure(`${source} cannot be watched: ${systemErrorCode(error) ?? String(error)}`);
  }

  private add(path: string): void {
    if (this.changed.size < MOST_PATHS) this.changed.add(path);
    this.gathering ??= setTimeout(() => void this.look(), GATHER_MS).unref();
  }

  private async look(): Promise<void> {
    const paths = [...this.changed];
    this.changed.clear();
    const counts = paths.length === MOST_PATHS || (await this.options.counts(paths));
    this.gathering = undefined;
    if (this.isClosed) return;
    if (counts) this.options.onChange();
    const [next] = this.changed;
    if (next !== undefined) this.add(next);
  }
}
