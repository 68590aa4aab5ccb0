import type { DumpFile } from './dump-file.ts';

/** What is to be dumped, before anything of it is read. */
export interface DumpPlan {
  /** The program that dumps, and its version. */
  readonly program: string;
  readonly files: readonly DumpFile[];
}
