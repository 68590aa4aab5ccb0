import { spawn, type ChildProcess } from 'node:child_process';
import { connect as connectHttp2 } from 'node:http2';
import type { Socket } from 'node:net';
import { CairnError } from '../errors.ts';
import { FAR_STORE } from '../limits.ts';
import type { Link } from './wire-connection.ts';
import { holdSession, sessionOptions } from './wire-session.ts';
import { WireStore } from './wire-store.ts';

/** How a repository server is reached over ssh. */
export interface SshStoreOptions {
  /**
   * `ssh://[USER@]HOST[:PORT]`, whose forced command is the server; or with `/PATH`, the directory of a repository that the account
   * itself may use.
   */
  readonly address: string;
  /** The program; `ssh` unless given. */
  readonly program?: string;
  /** Options for it, before the host: `-i FILE`, `-F FILE`, `-o NAME=VALUE`. */
  readonly options?: readonly string[];
  /** Connections that there may be at once, over a long way; `FAR_STORE.sshConnections` unless given. */
  readonly connections?: number;
  /** Makes the folders of an empty store, where the address names a directory. Default: open one that exists. */
  readonly create?: boolean;
  /** Milliseconds after which a request without progress is given up; `LIMITS.wireSilenceMs` unless given. */
  readonly silenceMs?: number;
}

/**
 * Asked of every `ssh`; options of the caller come first, and the first that names a thing counts (ssh_config(5)). No questions,
 * because nobody may be there to answer; no forwarding; and a dead link is noticed after 45 seconds.
 */
const SSH_OPTIONS =
  '-T -a -x -o BatchMode=yes -o ClearAllForwardings=yes -o ConnectTimeout=30 -o ServerAliveInterval=15'
    .concat(' -o ServerAliveCountMax=3')
    .split(' ');

/** Bytes of what `ssh` writes to standard error that are kept for an error. */
const STDERR_BYTES = 4_096;
/** Milliseconds to wait for `ssh` to end and say why, after the connection broke. */
const FAREWELL_MS = 2_000;
/** Status of ssh(1) when ssh itself failed. */
const SSH_FAILED = 255;

/**
 * A store behind a repository server that is reached by the system's `ssh`: HTTP/2 over its standard input and output. Keys, known
 * hosts, jumps and agents are ssh's own business. Rejects with `USAGE` for an address that is none.
 */
export function openSshStore(options: SshStoreOptions): WireStore {
  const place = placeOf(options.address, options.create === true);
  const { description, keepsLog } = place;
  const { silenceMs, connections = FAR_STORE.sshConnections } = options;
  return new WireStore({
    description,
    keepsLog,
    connect: () => openLink(place, options),
    connections,
    ...(silenceMs === undefined ? {} : { silenceMs }),
  });
}

interface Place {
  readonly description: string;
  readonly target: readonly string[];
  readonly command: string;
  readonly keepsLog: boolean;
}

function placeOf(address: string, create: boolean): Place {
  const bad = (how: string): CairnError =>
    new CairnError('USAGE', `the address of the server ${how}`, { hint: 'Write it as ssh://user@host:port.' });
  const parts = /^ssh:\/\/(?:([^@/?#]*)@)?(\[[0-9a-fA-F:.%\w]+\]|[^:/?#@[\]]+)(?::(\d{1,5}))?(\/[^?#]*)?$/.exec(
    address,
  );
  if (parts === null) throw bad('does not parse');
  const [, user, bracketed = '', port, path = '/'] = parts;
  const host = bracketed.replace(/^\[(.*)\]$/, '$1');
  if (user?.includes(':') === true) throw bad('must not hold a password');
  // What begins with a dash would be an option of ssh.
  if (host.startsWith('-') || user?.startsWith('-') === true) throw bad('has a host or user that begins with a dash');
  const directory = decoded(path.replace(/\/+$/, ''), bad);
  return {
    description: address.replace(/\/+$/, ''),
    // A path means the directory of an account of one's own, which a server without roles serves.
    keepsLog: directory === '',
    target: [...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port]), '--', host],
    command: `cairn serve --stdio${directory === '' ? '' : ` --path ${quoted(directory)}${create ? ' --create' : ''}`}`,
  };
}

function decoded(path: string, bad: (how: string) => CairnError): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw bad('has a path that does not parse');
  }
}

/** For the shell of the other side, which ssh hands its command to. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function openLink(place: Place, { program = 'ssh', options = [] }: SshStoreOptions): Promise<Link> {
  const args = [...options, ...SSH_OPTIONS, ...place.target, place.command];
  // Descriptor 3 is a socket in both directions, which HTTP/2 reads and writes without a detour through streams. The shell
  // makes it standard input and output; the arguments are no part of its script.
  const child = spawn('/bin/sh', ['-c', 'exec "$0" "$@" <&3 >&3 3>&-', program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const socket = child.stdio[3] as Socket;
  const ending = endOf(child);
  const session = connectHttp2('http://ssh', { ...sessionOptions, createConnection: () => socket });
  const failure = async (): Promise<CairnError | undefined> => {
    session.destroy();
    const end = await Promise.race([ending, later(FAREWELL_MS)]);
    if (end !== undefined) return failureOf(place, program, end);
    child.kill();
    return undefined;
  };
  const link = holdSession(session, {
    failure,
    hold: (inUse) => {
      if (inUse) session.ref();
      else session.unref();
      if (inUse) child.ref();
      else child.unref();
    },
    close: () => session.close(() => child.kill()),
  });
  return link;
}

interface End {
  readonly status: number | undefined;
  readonly stderr: string;
  readonly error: Error | undefined;
}

function endOf(child: ChildProcess): Promise<End> {
  let stderr = Buffer.alloc(0);
  child.stderr?.on('data', (bytes: Buffer) => {
    stderr = Buffer.concat([stderr, bytes]).subarray(-STDERR_BYTES);
  });
  (child.stderr as Socket | null)?.unref();
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: undefined, stderr: '', error }));
    child.once('close', (status) => {
      resolve({ status: status ?? undefined, stderr: printable(stderr.toString('utf8')), error: undefined });
    });
  });
}

/** The server may be hostile, and a terminal obeys control characters. */
function printable(text: string): string {
  return text
    .replaceAll(/\s*\n\s*/g, '; ')
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')
    .replace(/; $/, '')
    .trim();
}

async function later(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}

function failureOf({ description }: Place, program: string, { status, stderr, error }: End): CairnError {
  if (error !== undefined) {
    return new CairnError('HOST_UNSUPPORTED', `the program ${program} cannot be run: ${error.message}`, {
      cause: error,
    });
  }
  const said = stderr === '' ? `${program} ended with status ${status}` : `${program} says: ${stderr}`;
  if (status === SSH_FAILED && /host key verification failed|identification has changed/i.test(stderr)) {
    return new CairnError('STORE_UNTRUSTED', `${description} does not prove who it is; ${said}`, {
      hint: 'Connect once by hand with ssh, compare the fingerprint of its host key, and accept it.',
    });
  }
  if (status === SSH_FAILED && /permission denied/i.test(stderr)) {
    return new CairnError('STORE_DENIED', `${description} does not let this key in; ${said}`, {
      hint: 'Check which key ssh uses, and that the server has its line in authorized_keys.',
    });
  }
  if (status === 127) {
    return new CairnError('STORE_FAILED', `${description} has no program to answer; ${said}`, {
      hint: 'Install cairn there, or set a forced command as docs/guides/server.md shows.',
    });
  }
  return new CairnError('STORE_UNREACHABLE', `the connection to ${description} ended; ${said}`, {
    hint: 'Try the same with ssh by hand.',
  });
}
