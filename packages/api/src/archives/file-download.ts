import {
  CairnError,
  displayName,
  FileReader,
  partOf,
  type ArchiveRecord,
  type ByteString,
  type ChunkSource,
  type Repository,
  type TreeEntry,
} from '@cairn/core';
import { createHash } from 'node:crypto';

import { lastName } from './archive-path.ts';
import { contentKey } from './archive-view-cache.ts';
import type { SendStream } from '../http/stream-answer.ts';
import { downloadHeaders } from './download-headers.ts';

/** What a request says about what it wants of a file. */
export interface DownloadConditions {
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

/** Does work with a repository, which stays open until it is done. */
export type UsingRepository = (work: (repository: Repository, source: ChunkSource) => Promise<void>) => Promise<void>;

/**
 * Answers with the content of a file of an archive, or a part of it. When a part of the content cannot be read the answer breaks off
 * before its length; a gap is never filled. Rejects with `USAGE` (416) for a part that the file does not have.
 */
export async function fileDownload(
  archive: Pick<ArchiveRecord, 'name'>,
  path: ByteString,
  entry: TreeEntry,
  conditions: DownloadConditions,
  using: UsingRepository,
  send: SendStream,
): Promise<Response> {
  const { size } = entry;
  const tag = entityTag(entry);
  const headers = { ...downloadHeaders(lastName(path)), 'accept-ranges': 'bytes', etag: tag };
  const { range, ifRange, ifNoneMatch } = conditions;
  if (ifNoneMatch === tag) return new Response(null, { status: 304, headers });
  const part = ifRange === undefined || ifRange === tag ? partOf(range, size) : undefined;
  if (part === 'none') {
    throw new CairnError('USAGE', `${displayName(path)} in ${archive.name} has ${size} bytes, and none in that range`, {
      details: { http: 416, size },
    });
  }
  const { offset, length } = part ?? { offset: 0, length: size };
  const more = {
    'content-length': String(length),
    ...(part === undefined ? {} : { 'content-range': `bytes ${offset}-${offset + length - 1}/${size}` }),
  };
  const head = { status: part === undefined ? 200 : 206, headers: { ...headers, ...more } };
  return await send(head, async (sink) => {
    await using(async (_, source) => {
      for await (const piece of new FileReader(source, entry).read({ offset, length })) await sink(piece);
    });
  });
}

/** The same for files with the same bytes: chunks are named after what is in them, and holes have their places. */
function entityTag({ content, size, holes }: TreeEntry): string {
  const hash = createHash('sha256').update(JSON.stringify([contentKey(content), size, holes]));
  return `"${hash.digest('hex').slice(0, 32)}"`;
}
