import { CairnError, commandContent, type BackupRequest, type PathInput } from '@cairn/core';

import { pathArgument } from './path-argument.ts';

type Content = NonNullable<BackupRequest['contents']>[number];

export interface ContentOptions {
  readonly stdinName?: string;
  readonly contentFromCommand?: boolean;
  readonly contentName?: string;
  readonly commandTimeout?: number;
}

/** The operand that stands for standard input. */
const STDIN = '-';

/** What the options say to store besides files: standard input or the output of a command. Rejects with `USAGE`. */
export function contentsOf(operands: readonly string[], options: ContentOptions): readonly Content[] {
  const { stdinName, contentFromCommand, contentName, commandTimeout } = options;
  if (contentFromCommand === true) {
    if (stdinName !== undefined)
      throw new CairnError('USAGE', '--stdin-name and --content-from-command exclude each other');
    if (contentName === undefined) {
      throw new CairnError('USAGE', '--content-from-command needs --content-name', {
        hint: 'Say under which path the archive is to hold what the command prints, as in --content-name db.sql.',
      });
    }
    const timeoutMs = commandTimeout === undefined ? {} : { timeoutMs: 1000 * commandTimeout };
    return [commandContent({ path: rooted(contentName), command: operands, ...timeoutMs })];
  }
  if (contentName !== undefined || commandTimeout !== undefined) {
    throw new CairnError('USAGE', '--content-name and --command-timeout need --content-from-command');
  }
  const times = operands.filter((operand) => operand === STDIN).length;
  if (times > 1) throw new CairnError('USAGE', 'standard input can be read only once');
  if (times === 0 && stdinName !== undefined) {
    throw new CairnError('USAGE', '--stdin-name needs the operand -', {
      hint: 'Write - where a path would stand: `pg_dumpall | cairn backup --stdin-name db.sql -`.',
    });
  }
  if (times === 0) return [];
  return [{ path: rooted(stdinName ?? 'stdin'), repeatable: false, open: () => process.stdin }];
}

/** The operands that are paths, when there are contents. */
export function pathsBeside(operands: readonly string[], { contentFromCommand }: ContentOptions): readonly PathInput[] {
  return contentFromCommand === true ? [] : operands.filter((operand) => operand !== STDIN).map(pathArgument);
}

/** A name stands in the root of the archive. */
function rooted(name: string): PathInput {
  const path = pathArgument(name);
  if (typeof path === 'string') return path.startsWith('/') ? path : `/${path}`;
  return path[0] === 0x2f ? path : Buffer.concat([Buffer.from('/'), path]);
}
