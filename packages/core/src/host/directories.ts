import type { TreeCache } from '../ports/tree-cache.ts';
import { DirectoryClientState } from './client-state.ts';
import { directoryTreeCache } from './tree-cache.ts';

/** Where a client keeps files of its own. Absolute paths; made when they are needed. */
export interface ClientDirectories {
  /** What must not get lost: what was seen of each repository. On Linux usually `~/.local/state/cairn`. */
  readonly state: string;
  /** What may be deleted at any time: trees of the newest archives. On Linux usually `~/.cache/cairn`. */
  readonly cache: string;
}

export interface ClientFiles {
  readonly clientState: DirectoryClientState;
  readonly treeCache: TreeCache;
}

/** A client's memory in these directories, as `Repository.create` and `Repository.open` take it. */
export function clientFiles(directories: ClientDirectories): ClientFiles {
  return {
    clientState: new DirectoryClientState(directories.state),
    treeCache: directoryTreeCache(directories.cache),
  };
}
