import { displayName, isCairnError, type ArchiveRecord, type ByteString, type Repository } from '@cairn/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';

import { attachment } from './headers.ts';
import { write } from './responses.ts';

/** What makes tar streams: a repository. */
export type TarExporter = Pick<Repository, 'exportTar'>;

/** A directory of an archive. */
export interface ArchivedDirectory {
  readonly archive: ArchiveRecord;
  /** Names on the way to it from the archive's root; none for the root itself. */
  readonly names: readonly ByteString[];
}

/** Gives directories of archives as tar streams, in which they have their last name. */
export class DirectoryTar {
  private readonly exporter: TarExporter;
  private readonly onProblem: (text: string) => void;

  constructor(exporter: TarExporter, onProblem: (text: string) => void) {
    this.exporter = exporter;
    this.onProblem = onProblem;
  }

  /**
   * Answers with a directory. Memory is some chunks, however large it is and however slow the reader; one who goes away ends it.
   * An answer that lacks something breaks off where its end would be said, so that every client tells that it is not whole.
   * Rejects before anything was answered, as the exporter does.
   */
  async answer(request: IncomingMessage, response: ServerResponse, directory: ArchivedDirectory): Promise<void> {
    const { archive, names } = directory;
    const title = names.at(-1) ?? Buffer.from(archive.name).toString('latin1');
    response.setHeader('Content-Type', 'application/x-tar');
    response.setHeader('Content-Disposition', attachment(`${title}.tar`));
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      const sink = async (bytes: Uint8Array): Promise<void> => await write(response, bytes);
      const part = names.length === 0 ? {} : { paths: [Buffer.from(names.join('/'), 'latin1')] };
      const stripComponents = Math.max(0, names.length - 1);
      const { signal } = gone;
      const { problems } = await this.exporter.exportTar(archive, sink, { ...part, stripComponents }, { signal });
      for (const { message } of problems) this.onProblem(`left out of a tar stream: ${message}`);
      if (problems.length === 0) {
        response.end();
        return;
      }
      // What was written a moment ago reaches the socket only after this turn.
      await setImmediate();
      response.socket?.end();
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!response.headersSent) throw error;
      const path = displayName(`/${names.join('/')}`);
      const reason = isCairnError(error) ? error.message : String(error);
      this.onProblem(`the tar stream of ${path} in ${archive.name} broke off: ${reason}`);
      response.destroy();
    }
  }
}
