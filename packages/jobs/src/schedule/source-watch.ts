import { systemErrorCode } from '@cairn/core';
import { watch, type FSWatcher } from 'node:fs';

/** Watches directories and all below them. `onFailure` hears why one cannot be watched: then only the schedule backs it up. */
export class SourceWatch {
  private readonly watchers: FSWatcher[] = [];

  constructor(
    sources: readonly string[],
    options: { readonly onChange: () => void; readonly onFailure: (text: string) => void },
  ) {
    for (const source of sources) {
      const failed = (error: unknown): void =>
        options.onFailure(`${source} cannot be watched: ${systemErrorCode(error) ?? String(error)}`);
      try {
        const watcher = watch(source, { recursive: true, persistent: false }, () => options.onChange());
        watcher.on('error', failed);
        this.watchers.push(watcher);
      } catch (error) {
        failed(error);
      }
    }
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}
