import { CairnError, systemErrorCode } from '@cairn/core';
import { createHash } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

/** Milliseconds that a process which holds a claim has to say for which run; a busy one may answer late. */
const ANSWER_MS = 2_000;
/** Bytes of an answer that are looked at: the id of a run is shorter. */
const ANSWER_BYTES = 128;

/** Held as long as a run of the job is under way. The kernel frees it with the process, however that ends. */
export interface Claim {
  release(): Promise<void>;
}

/** Who holds a claim. `run` is undefined when the holder did not say in time. */
export interface ClaimHolder {
  readonly run: string | undefined;
}

/**
 * Claims a job for a run: an abstract unix socket (unix(7)), of which there is no file that could be left behind. Whoever connects
 * is told the run. Rejects with `JOB_BUSY` when a run of the job is under way, and with `HOST_UNSUPPORTED` where there are
 * no such sockets.
 * @param directory of the run store: stores do not share their jobs.
 */
export async function claimJob(directory: string, job: string, run: string): Promise<Claim> {
  if (process.platform !== 'linux') {
    throw new CairnError('HOST_UNSUPPORTED', 'jobs need abstract unix sockets, which this system does not have', {
      hint: 'Run jobs on Linux; single commands work here too.',
    });
  }
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(`${run}\n`);
  });
  if (!(await listens(server, socketName(directory, job)))) throw busy(job, await claimHolder(directory, job));
  // The claim alone keeps no process alive.
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Who holds the claim of a job now; undefined when nobody does. */
export async function claimHolder(directory: string, job: string): Promise<ClaimHolder | undefined> {
  return await new Promise((resolve, reject) => {
    const socket = connect(socketName(directory, job));
    let answer = '';
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer = (answer + text).slice(0, ANSWER_BYTES);
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      // Nobody listens. Anything else must not look like it: a run that is under way would be called lost.
      if (systemErrorCode(error) === 'ECONNREFUSED') resolve(undefined);
      else if (systemErrorCode(error) === 'ECONNRESET') resolve({ run: undefined });
      else reject(error);
    });
    socket.on('close', (failed) => {
      clearTimeout(timer);
      if (!failed) resolve({ run: answer.endsWith('\n') ? answer.trimEnd() : undefined });
    });
  });
}

function listens(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      if (systemErrorCode(error) === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(name, () => resolve(true));
  });
}

function socketName(directory: string, job: string): string {
  return `\0cairn-job-${createHash('sha256').update(`${directory}\0${job}`).digest('hex').slice(0, 40)}`;
}

function busy(job: string, holder: ClaimHolder | undefined): CairnError {
  const which = holder?.run === undefined ? '' : `: ${holder.run}`;
  return new CairnError('JOB_BUSY', `a run of the job ${job} is under way${which}`, {
    hint: 'Wait until it has ended, or cancel it. `cairn job status` shows it.',
    details: { job, ...(holder?.run === undefined ? {} : { run: holder.run }) },
  });
}
