import { join } from 'node:path';

import type { CheckMemory } from '../ports/check-memory.ts';
import type { StoreMemory } from '../ports/store-memory.ts';
import type { TreeCache } from '../ports/tree-cache.ts';
import { directoryCheckMemory } from './check-memory.ts';
import { DirectoryClientState } from './client-state.ts';
import { DirectoryStoreMemory } from './store-memory.ts';
import { directoryTreeCache } from './tree-cache.ts';

/** Where a client keeps files of its own. Absolute paths; made when they are needed. */
export interface ClientDirectories {
  /** What must not get lost: what was seen of each repository. On Linux usually `~/.local/state/cairn`. */
  readonly state: string;
  /** What may be deleted at any time: trees of the newest archives, when packs were checked. On Linux usually `~/.cache/cairn`. */
  readonly cache: string;
}

/** The files of a client, as the ports that keep them. */
export interface ClientFiles {
  readonly clientState: DirectoryClientState;
  readonly treeCache: TreeCache;
  readonly checkMemory: CheckMemory;
  readonly storeMemory: StoreMemory;
}

/** A client's memory in these directories, as `Repository.create`, `Repository.open` and `openStore` take it. */
export function clientFiles(directories: ClientDirectories): ClientFiles {
  return {
    clientState: new DirectoryClientState(directories.state),
    treeCache: directoryTreeCache(directories.cache),
    checkMemory: directoryCheckMemory(directories.cache),
    storeMemory: new DirectoryStoreMemory(join(directories.state, 'stores')),
  };
}
