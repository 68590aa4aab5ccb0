import { CairnError, systemErrorCode } from '@cairn/core';
import { stat } from 'node:fs/promises';

import { programVariables, type DumpContext } from './dump-context.ts';
import type { Program } from './programs.ts';
import { runProgram, type ProgramCall, type ProgramEnd } from './run-program.ts';
import { scrubberOf, type Scrub } from './scrub.ts';

/** What the programs of one dump share. */
interface ToolSetup {
  readonly runAs?: string | undefined;
  readonly timeoutMs?: number | undefined;
  /** Whose secrets are taken out of messages. */
  readonly credentialsFile?: string | undefined;
  /** Variables of the environment; none is a secret. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** What a call of a program may have besides. */
type RunMore = Partial<Pick<ProgramCall, 'input' | 'workingDirectory' | 'timeoutMs' | 'signal'>>;

/** Milliseconds that a question to a database server may take: it is about names. */
const ASK_MS = 60_000;

/** Starts the programs of one dump: as the right user, with a small environment, and with clean messages. */
export class DumpTool {
  readonly context: DumpContext;
  readonly env: Readonly<Record<string, string>>;
  readonly scrub: Scrub;
  readonly timeoutMs: number | undefined;
  private readonly runAs: string | undefined;

  private constructor(context: DumpContext, setup: ToolSetup, scrub: Scrub) {
    this.context = context;
    this.env = programVariables(context.variables, setup.env);
    this.runAs = setup.runAs;
    this.timeoutMs = setup.timeoutMs;
    this.scrub = scrub;
  }

  static async create(context: DumpContext, setup: ToolSetup): Promise<DumpTool> {
    const { credentialsFile } = setup;
    if (credentialsFile !== undefined) await warnIfOpen(credentialsFile, context);
    return new DumpTool(context, setup, await scrubberOf(credentialsFile));
  }

  /** The call of a program. `runuser` (util-linux) changes the user and nothing else. */
  call(program: Program, args: readonly string[]): readonly string[] {
    const call = [program.path, ...args];
    return this.runAs === undefined ? call : ['runuser', '-u', this.runAs, '--', ...call];
  }

  /**
   * Runs a program to its end, however that is. The time limit of the dump is not that of other work: a restore takes as long as it
   * takes. Rejects as `runProgram` does.
   */
  async run(program: Program, args: readonly string[], more: RunMore = {}): Promise<ProgramEnd> {
    const { signal } = this.context;
    const { how, errors, ...rest } = await runProgram({
      ...more,
      command: this.call(program, args),
      env: this.env,
      signal: more.signal === undefined ? signal : AbortSignal.any([signal, more.signal]),
    });
    return { ...rest, how: this.scrub(how), errors: this.scrub(errors) };
  }

  /** What a program answers. Rejects with `SOURCE_UNREADABLE` and its own words when it fails. */
  async ask(program: Program, args: readonly string[], what: string): Promise<string> {
    const end = await this.run(program, args, { timeoutMs: ASK_MS });
    if (end.ok) return end.output.toString('utf8');
    throw new CairnError('SOURCE_UNREADABLE', withErrors(`${what}: ${end.how}`, end.errors), {
      hint: 'Check that the server runs, and what the job says of its address, user and credentials.',
    });
  }

  /** The first line of what a program says of its version. */
  async version(program: Program, args: readonly string[] = ['--version']): Promise<string> {
    const { output, errors } = await this.run(program, args, { timeoutMs: ASK_MS });
    return (output.toString('utf8').trim() || errors).split('\n')[0]?.trim() ?? '';
  }
}

/** Mode bits by which everybody else may read or write a file. */
const OTHERS = 0o006;

/** A file that is not there, or may not be looked at, is for the program to complain about. */
async function warnIfOpen(path: string, context: DumpContext): Promise<void> {
  try {
    const { mode } = await stat(path);
    if ((mode & OTHERS) !== 0)
      context.onWarning?.(`${path} has a password, and every user can get at it: chmod 600 ${path}`);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
  }
}

/** What went wrong, and the program's own words for it. */
export function withErrors(text: string, errors: string): string {
  return errors === '' ? text : `${text}: ${errors.replace(/\s*\n\s*/g, ' | ')}`;
}
