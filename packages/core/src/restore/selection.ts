import type { ByteString } from '../host/byte-path.ts';
import { pathNames } from '../tree/archive-path.ts';
import type { RestoreOptions } from './options.ts';

/** Names below a directory on the way to the paths asked for; undefined where everything below is wanted. */
type WantedNames = ReadonlyMap<ByteString, WantedNames> | undefined;

/** What is known about a directory when its entries are looked at. */
export interface SelectedDirectory {
  readonly names: WantedNames;
  /** It, or one above it, is included: what is in it needs no look. */
  readonly included: boolean;
}

/** Decides entry by entry what is restored. */
export class Selection {
  private readonly include: RestoreOptions['include'];
  private readonly exclude: RestoreOptions['exclude'];
  readonly root: SelectedDirectory;

  constructor({ paths, include, exclude }: Pick<RestoreOptions, 'paths' | 'include' | 'exclude'>) {
    this.include = include;
    this.exclude = exclude;
    this.root = { names: paths === undefined ? undefined : wantedNames(paths), included: include === undefined };
  }

  /** False when nothing of that name can be wanted, whatever it is: saves decoding it. */
  mayWant(parent: SelectedDirectory, name: ByteString): boolean {
    return parent.names?.has(name) !== false;
  }

  /** Undefined when the entry is not wanted; a directory that is not `included` only for what is below it. */
  choose(
    parent: SelectedDirectory,
    name: ByteString,
    path: ByteString,
    isDirectory: boolean,
  ): SelectedDirectory | undefined {
    const names = parent.names?.get(name);
    if (names !== undefined && !isDirectory) return undefined;
    if (this.exclude?.(path, isDirectory) === true) return undefined;
    const included = parent.included || this.include?.(path, isDirectory) === true;
    return included || isDirectory ? { names, included } : undefined;
  }
}

function wantedNames(paths: readonly ByteString[]): WantedNames {
  const root = new Map<ByteString, WantedNames>();
  for (const path of paths) {
    const names = pathNames(path);
    if (names.length === 0) return undefined;
    add(root, names);
  }
  return root;
}

function add(root: Map<ByteString, WantedNames>, names: readonly ByteString[]): void {
  let level = root;
  for (const name of names.slice(0, -1)) {
    if (level.has(name) && level.get(name) === undefined) return;
    const next = (level.get(name) as Map<ByteString, WantedNames> | undefined) ?? new Map<ByteString, WantedNames>();
    level.set(name, next);
    level = next;
  }
  level.set(names.at(-1) as ByteString, undefined);
}
