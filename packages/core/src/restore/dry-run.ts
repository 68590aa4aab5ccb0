import type { ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import type { ChosenEntry, WalkVisitor } from './archive-walk.ts';
import { linkKeyOf, LinkTable } from './link-table.ts';
import type { Reporter } from './reporter.ts';
import type { StopSwitch } from './stop-switch.ts';
import { TargetDirectory } from './target-directory.ts';

/** Counts what a restore would make. */
export class DryRun implements WalkVisitor {
  private readonly reporter: Reporter;
  private readonly stop: StopSwitch;
  private readonly privileged: boolean;
  private readonly links = new LinkTable();

  constructor(reporter: Reporter, stop: StopSwitch, privileged: boolean) {
    this.reporter = reporter;
    this.stop = stop;
    this.privileged = privileged;
  }

  enter({ site, entry }: ChosenEntry, path: ByteString, wanted: boolean): TargetDirectory {
    if (wanted) this.reporter.restored(ENTRY_KIND.directory);
    return new TargetDirectory(site.directory, entry.name, path, 0, undefined);
  }

  file({ entry }: ChosenEntry): undefined {
    this.reporter.restored(ENTRY_KIND.file, this.isFurtherName(entry) ? 0 : entry.size);
  }

  other({ entry }: ChosenEntry): void {
    if (entry.device !== null && !this.privileged) this.reporter.notRestored('device');
    else this.reporter.restored(entry.kind);
  }

  leave(): void {
    this.reporter.progress();
  }

  damaged(path: ByteString, reason: string): void {
    this.reporter.problem('damaged', path, reason);
  }

  check(): void {
    this.stop.check();
  }

  private isFurtherName(entry: ChosenEntry['entry']): boolean {
    const key = linkKeyOf(entry);
    if (key === undefined) return false;
    if (this.links.has(key)) return true;
    this.links.begin(key);
    return false;
  }
}
