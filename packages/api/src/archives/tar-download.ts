import { CairnError, displayName, fromUtf8, type ArchiveRecord, type ByteString } from '@cairn/core';

import type { SendStream } from '../http/stream-answer.ts';
import { downloadHeaders } from './download-headers.ts';
import type { UsingRepository } from './file-download.ts';

export interface TarChoice {
  /** What is at and below these. */
  readonly paths: readonly ByteString[];
  /** Entries whose content is damaged are left out; otherwise the stream breaks off. */
  readonly skipDamaged: boolean;
}

/**
 * Answers with a selection of an archive as a tar stream. Nobody knows its length beforehand: one that is whole ends with
 * the end of the answer, and one that could not be finished breaks off.
 */
export async function tarDownload(
  archive: ArchiveRecord,
  { paths, skipDamaged }: TarChoice,
  using: UsingRepository,
  send: SendStream,
): Promise<Response> {
  const chosen = { paths: paths.map((path) => Buffer.from(path, 'latin1')) };
  const headers = downloadHeaders(fromUtf8(`${archive.name}.tar`), 'application/x-tar');
  return await send({ status: 200, headers }, async (sink, signal) => {
    await using(async (repository, source) => {
      const { problems } = await repository.exportTar(archive, sink, chosen, { signal, source });
      const [problem] = problems;
      if (problem === undefined || skipDamaged) return;
      throw new CairnError('CORRUPT', `${displayName(problem.path)} in ${archive.name}: ${problem.message}`, {
        hint: 'Ask again with `damaged=skip` to have the rest.',
      });
    });
  });
}
