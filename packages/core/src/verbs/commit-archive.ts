import type { PackUploader } from '../backup/pack-uploader.ts';
import { toHex } from '../ids.ts';
import type { ArchiveDescriptor } from '../log/descriptor.ts';
import type { LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';

export interface CommitOptions {
  /** An archive, 32 hex digits, whose subtrees were taken over unread (rule R5). */
  readonly base?: string;
  /** Whether the archive is still wanted, by the state at the head of the append. */
  readonly wanted?: (state: LogState) => boolean;
}

/**
 * Appends the COMMIT of an archive whose packs and segments are durable. False when a pack that the archive needs was swept
 * (rule R4), or when somebody else committed that id: the run must be repeated; and when it is not wanted any more.
 * @param usedPacks names of the packs of earlier runs that the archive relies on.
 */
export async function commitArchive(
  access: RepositoryAccess,
  descriptor: ArchiveDescriptor,
  uploader: PackUploader,
  usedPacks: readonly string[],
  { base, wanted = () => true }: CommitOptions = {},
): Promise<boolean> {
  const needed = [...usedPacks, ...uploader.packs];
  const seq = await access.log.append((state) => {
    const swept =
      state.isTaken(toHex(descriptor.id)) ||
      needed.some((name) => state.sweptPacks.has(name)) ||
      uploader.segments.some((name) => state.sweptSegments.has(name));
    if (swept || !wanted(state)) return undefined;
    return {
      kind: 'COMMIT',
      archive: toHex(descriptor.id),
      base: base ?? null,
      segments: uploader.segments,
      rescuedPacks: needed.filter((name) => state.condemnedPacks.has(name)),
      rescuedSegments: uploader.segments.filter((name) => state.condemnedSegments.has(name)),
      descriptor: { ...descriptor, name: freeName(state, descriptor.name) },
    };
  });
  return seq !== undefined;
}

/** `SERIES-2026-11-21T08-15-02Z`: sorts as time, and is a file name everywhere. */
export function archiveName(series: string, ns: bigint): string {
  return `${series}-${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
}

/** The name, or with a number when an archive of that name exists. */
function freeName(state: LogState, name: string): string {
  const taken = new Set([...state.archives.values()].map((archive) => archive.name));
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}.${number}`;
  return free;
}
