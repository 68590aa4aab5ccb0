import { spawn, type ChildProcess } from 'node:child_process';

import { CairnError, systemErrorCode } from '@cairn/core';

import { TextTail } from './text-tail.ts';

/** A program that is asked something, or that takes a dump back. */
export interface ProgramCall {
  /** The program and its arguments, run as they are: no shell. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** What it reads from standard input; nothing unless given. When this fails the program is ended. */
  readonly input?: AsyncIterable<Uint8Array>;
  readonly workingDirectory?: string;
  /** Milliseconds after which it is ended. */
  readonly timeoutMs?: number;
}

/** How a program ended. */
export interface ProgramEnd {
  /** True when it ended with status 0 and read all that it was given. */
  readonly ok: boolean;
  /** Its status or signal in words; why its input broke off. */
  readonly how: string;
  readonly output: Buffer;
  /** The last of what it wrote to standard error. */
  readonly errors: string;
}

/** Bytes of an answer: a list of names, never a dump. */
const OUTPUT_BYTES = 64 * 1024 * 1024;

/** Milliseconds that a program has to end by itself after SIGTERM. */
const GRACE_MS = 5_000;

/**
 * Runs a program to its end. Resolves however it ended. Rejects with `HOST_UNSUPPORTED` when it cannot be run, with
 * `LIMIT_EXCEEDED` when it answers more than 64 MiB, and with `CANCELLED` when the signal fired, after it was ended.
 */
export async function runProgram(call: ProgramCall): Promise<ProgramEnd> {
  const { command, env, signal, input, timeoutMs, workingDirectory = '/' } = call;
  const [program = '', ...args] = command;
  throwIfCancelled(signal, program);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, env, cwd: workingDirectory });
  const ended = endOf(child);
  const stop = stopper(child);
  const errors = new TextTail();
  const output: Buffer[] = [];
  let length = 0;
  let late = false;
  child.stderr.on('data', (piece: Buffer) => errors.add(piece));
  child.stdout.on('data', (piece: Buffer) => {
    length += piece.length;
    if (length <= OUTPUT_BYTES) output.push(piece);
    else stop();
  });
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => ((late = true), stop()), timeoutMs);
  signal.addEventListener('abort', stop);
  try {
    const broken = await feed(child, input, stop);
    const how = await ended;
    if (how instanceof Error) {
      throw new CairnError('HOST_UNSUPPORTED', `${program} could not be run: ${systemErrorCode(how) ?? how.message}`);
    }
    throwIfCancelled(signal, program);
    if (length > OUTPUT_BYTES) throw new CairnError('LIMIT_EXCEEDED', `${program} answers more than 64 MiB`);
    // Of a program that failed the status tells more than that it left something unread.
    const said = broken === UNREAD && how !== GOOD ? how : (broken ?? how);
    const text = late ? `took longer than ${(timeoutMs ?? 0) / 1000} s and was ended` : said;
    const ok = how === GOOD && broken === undefined && !late;
    return { ok, how: `${program} ${text}`, output: Buffer.concat(output), errors: errors.text() };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const GOOD = 'ended with status 0';
const UNREAD = 'ended before it had read all of the dump';

/** Gives a program its input; resolves with why not all of it was given. */
async function feed(child: ChildProcess, input: ProgramCall['input'], stop: () => void): Promise<string | undefined> {
  const { stdin } = child;
  if (stdin === null) return undefined;
  if (input === undefined) {
    stdin.on('error', () => undefined);
    stdin.end();
    return undefined;
  }
  // When it closes its input early, it ended, and its status tells why.
  let closed = false;
  stdin.on('error', () => (closed = true));
  const end = new Promise((resolve) => stdin.once('close', resolve));
  try {
    for await (const piece of input) {
      if (closed) break;
      if (!stdin.write(piece)) await Promise.race([new Promise((resolve) => stdin.once('drain', resolve)), end]);
    }
  } catch (error) {
    // Before its input ends: it must not take half a dump for a whole one.
    stop();
    return `was ended, since the dump could not be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (!closed) stdin.end();
  await end;
  return closed ? UNREAD : undefined;
}

/** How it ended, in words; an error when it never ran. */
function endOf(child: ChildProcess): Promise<string | Error> {
  return new Promise((resolve) => {
    child.on('error', resolve);
    // After its output ended, too.
    child.on('close', (status, name) =>
      resolve(status === null ? `was ended by ${name}` : `ended with status ${status}`),
    );
  });
}

/** Ends a program and what it started. */
function stopper(child: ChildProcess): () => void {
  let killing: NodeJS.Timeout | undefined;
  const send = (name: 'SIGTERM' | 'SIGKILL'): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, name);
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
    }
  };
  child.on('close', () => clearTimeout(killing));
  return () => {
    if (killing !== undefined || child.exitCode !== null || child.signalCode !== null) return;
    send('SIGTERM');
    killing = setTimeout(() => send('SIGKILL'), GRACE_MS);
  };
}

function throwIfCancelled(signal: AbortSignal, program: string): void {
  if (signal.aborted) throw new CairnError('CANCELLED', `${program} was stopped`);
}
