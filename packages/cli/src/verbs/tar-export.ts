import { CairnError, EXIT_INCOMPLETE, pathMatcher, type ExportTarReport } from '@cairn/core';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { once } from 'node:events';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { counted, formatBytes } from '../output/format.ts';
import { exportTarJson } from '../output/json-reports.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { pathArgument } from '../path-argument.ts';
import type { Verb } from '../verb.ts';

interface TarExportOptions {
  readonly output?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly stripComponents?: number;
}

export const tarExport: Verb = {
  define(command) {
    command
      .description(
        'Write an archive, or parts of it, as a tar stream, with all attributes, as GNU tar reads them. Exits with 3 when ' +
          'something of it is damaged and left out.',
      )
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('[path...]', 'paths in the archive, each with everything below it; everything when none is given')
      .option('-o, --output <file>', 'new file to write it to; standard output when not given')
      .option('-i, --include <pattern>', 'only what matches; may be repeated', several)
      .option('-e, --exclude <pattern>', 'leave out what matches; may be repeated', several)
      .option('--strip-components <number>', 'take so many names off the beginning of each path', count(0, 4096))
      .addHelpText('after', '\nExample:\n  cairn tar export -r /backup/repo latest /etc > etc.tar');
  },

  async run(context, { operands, options }) {
    const [ref = '', ...paths] = operands;
    const { output: file, include, exclude, stripComponents } = options as TarExportOptions;
    if (file === undefined && context.json) {
      throw new CairnError('USAGE', '--json and the tar stream cannot both go to standard output', {
        hint: 'Name a file with --output.',
      });
    }
    if (file === undefined && context.output.isTerminal) {
      throw new CairnError('USAGE', 'a tar stream is not for a terminal', {
        hint: 'Send it to a file or to `tar`, or name a file with --output.',
      });
    }
    return await withRepository(context, async ({ repository }) => {
      const archive = repository.archive(ref);
      const request = {
        ...(paths.length === 0 ? {} : { paths: paths.map(pathArgument) }),
        ...(include === undefined ? {} : { include: pathMatcher(include) }),
        ...(exclude === undefined ? {} : { exclude: pathMatcher(exclude) }),
        ...(stripComponents === undefined ? {} : { stripComponents }),
      };
      const line = new ProgressLine(context.messages);
      const target = file === undefined ? undefined : new OutputFile(file);
      const sink = async (bytes: Uint8Array): Promise<void> =>
        target === undefined ? await context.output.bytes(bytes) : await target.write(bytes);
      let report: ExportTarReport;
      try {
        report = await repository.exportTar(archive, sink, request, {
          signal: context.signal,
          onProgress: ({ files, bytes }) =>
            line.update(() => ({ bytes, totalBytes: undefined, facts: [counted(files, 'file'), formatBytes(bytes)] })),
        });
        await target?.end();
      } catch (error) {
        await target?.discard();
        throw error;
      } finally {
        line.done();
      }
      tell(context, report);
      if (context.json) await context.output.line(JSON.stringify(exportTarJson(report, archive.name)));
      return Object.keys(report.problemCounts).length === 0 ? 0 : EXIT_INCOMPLETE;
    });
  },
};

/** Standard output has the stream: what there is to say goes to standard error. */
function tell({ messages }: Context, { problems, lost, files, tarBytes }: ExportTarReport): void {
  for (const { kind, message } of problems) messages.write(`${kind}: ${message}`);
  const { socket = 0, flags = 0 } = lost;
  if (socket > 0) messages.info(`Left out: ${counted(socket, 'socket')}; tar has none.`);
  if (flags > 0) messages.info(`Without their inode flags: ${counted(flags, 'entry', 'entries')}; tar has none.`);
  messages.info(`Exported ${counted(files, 'file')} as ${formatBytes(tarBytes)} of tar.`);
}

/** A file that did not exist. */
class OutputFile {
  private readonly path: string;
  /** Another file of that name is somebody else's. */
  private isOurs = false;
  private readonly stream: ReturnType<typeof createWriteStream>;
  private readonly done: Promise<void>;

  constructor(path: string) {
    this.path = path;
    this.stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    this.stream.once('open', () => (this.isOurs = true));
    this.done = finished(this.stream).catch((cause: unknown) => {
      throw new CairnError('TARGET_FAILED', `cannot write ${path}: ${(cause as Error).message}`, {
        hint: 'It must not exist yet, and its directory must take it.',
        cause,
      });
    });
    // Met by whoever writes next.
    this.done.catch(() => undefined);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.stream.destroyed) await this.done;
    if (this.stream.write(Buffer.from(bytes))) return;
    await Promise.race([once(this.stream, 'drain'), this.done]);
  }

  async end(): Promise<void> {
    this.stream.end();
    await this.done;
  }

  /** Removes what was written: a part of a tar file is none, and would be in the way of the next attempt. */
  async discard(): Promise<void> {
    this.stream.destroy();
    await Promise.allSettled([this.done]);
    if (this.isOurs) await rm(this.path, { force: true });
  }
}
