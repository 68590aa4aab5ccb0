import { commandContent, fromUtf8, type ContentSource } from '@cairn/core';

import { withErrors, type DumpTool } from './dump-tool.ts';
import { OutputEnds, type OutputCheck } from './output-ends.ts';
import { TextTail } from './text-tail.ts';

/** What a file of a dump holds. */
export type DumpPart = 'databases' | 'database' | 'accounts' | 'config' | 'file' | 'output';

/** A file of a dump before it is read. */
export interface DumpFile {
  /** Below the directory of the dump. */
  readonly path: string;
  readonly part: DumpPart;
  /** Names of the databases in it. */
  readonly databases: readonly string[];
  /** What a restore has to know besides. */
  readonly facts?: Readonly<Record<string, string>>;
  /** Its owner and mode, where a file is what was dumped. */
  readonly owner?: Readonly<Pick<ContentSource, 'mode' | 'uid' | 'gid'>>;
  /** Its bytes. Fails when they are not the whole dump. */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/**
 * What a program prints, checked at its end. Fails when the program does, when it takes too long, and when `check` finds its
 * output incomplete; the message ends with the last of what it wrote to standard error, without secrets.
 * @param errors what a program that did well wrote to standard error: warnings for the user, or mere chatter.
 */
export function programOutput(
  tool: DumpTool,
  command: readonly string[],
  check: OutputCheck,
  errors: 'warnings' | 'chatter' = 'warnings',
): (signal: AbortSignal) => AsyncIterable<Uint8Array> {
  return (signal) => checkedOutput(tool, command, check, errors === 'warnings', signal);
}

async function* checkedOutput(
  tool: DumpTool,
  command: readonly string[],
  check: OutputCheck,
  warns: boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const errors = new TextTail();
  const ends = new OutputEnds();
  const content = commandContent({
    path: '/output',
    command,
    env: tool.env,
    workingDirectory: '/',
    onStderr: (bytes) => errors.add(bytes),
    ...(tool.timeoutMs === undefined ? {} : { timeoutMs: tool.timeoutMs }),
  });
  const said = (text: string): string => tool.scrub(withErrors(text, errors.text()));
  try {
    for await (const piece of content.open(signal)) {
      ends.add(piece);
      yield piece;
    }
  } catch (error) {
    throw new Error(said(error instanceof Error ? error.message : String(error)), { cause: error });
  }
  const wrong = check(ends);
  if (wrong !== undefined) throw new Error(said(wrong));
  const words = errors.text();
  if (warns && words !== '') tool.context.onWarning?.(tool.scrub(words));
}

/** The bytes of a whole content, for files that are small. */
export async function wholeText(source: AsyncIterable<Uint8Array>, limitBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    length += piece.length;
    if (length > limitBytes) throw new Error(`it is longer than ${limitBytes} bytes`);
    pieces.push(Uint8Array.from(piece));
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Hears how far the reading of a file came. A run that begins again reads it again. */
export interface FileWatch {
  begun(file: DumpFile): void;
  done(file: DumpFile, bytes: number): void;
}

/** A file of a dump as a content of an archive. */
export function contentOfFile(directory: string, file: DumpFile, watch: FileWatch): ContentSource {
  async function* watched(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    watch.begun(file);
    let bytes = 0;
    for await (const piece of file.open(signal)) {
      bytes += piece.length;
      yield piece;
    }
    watch.done(file, bytes);
  }
  return { path: fromUtf8(`${directory}/${file.path}`), ...file.owner, open: watched };
}
