import { availableParallelism } from 'node:os';

import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { Refusal, type RefusalCode } from '../filesystem/refusal.ts';
import { LEAST_REQUEST_BUFFER } from '../protocol/constants.ts';
import { encodeHeader, errnoOf } from '../protocol/replies.ts';
import { decodeRequest, MalformedRequest, type Request } from '../protocol/requests.ts';
import { Answers, MOST_WRITE_BYTES, type Answer } from './answers.ts';
import { FuseDevice, type Received } from './device.ts';

/** The longest request: the longest WRITE and its header; longer ones are refused by the kernel itself. */
const REQUEST_BYTES = LEAST_REQUEST_BUFFER + MOST_WRITE_BYTES;

/**
 * For how long the next request is looked for before this thread sleeps, milliseconds. A program that walks through a tree asks
 * again within a few microseconds, and waking a sleeping thread takes longer than that. Not where there is one core only.
 */
const LINGER_MS = availableParallelism() > 1 ? 0.05 : 0;

/** Requests that are answered before the event loop has its turn. */
const TURN_REQUESTS = 64;

export interface SessionOptions {
  /** An open `/dev/fuse` that belongs to a mount; it is the session's, which closes it at its end. */
  readonly device: number;
  readonly fileSystem: ArchiveFileSystem;
  readonly checkPermissions: boolean;
  readonly onProblem: (text: string) => void;
}

/**
 * Serves one mount: reads requests and answers them, in any order. Those who are interrupted while they wait are answered at
 * once, so that no program hangs that its user ends.
 */
export class FuseSession {
  /** Resolves when the mount is gone. */
  readonly ended: Promise<void>;
  /** Resolves when the kernel and this program have agreed on how they talk. */
  readonly ready: Promise<void>;
  private agreed: () => void = () => undefined;
  private end: (error?: Error) => void = () => undefined;
  private readonly options: SessionOptions;
  private readonly answers: Answers;
  private readonly device: FuseDevice;
  /** Requests that were not answered yet. */
  private readonly waiting = new Set<bigint>();

  constructor(options: SessionOptions) {
    this.options = options;
    this.answers = new Answers(options.fileSystem, options.checkPermissions);
    this.ready = new Promise((resolve) => (this.agreed = resolve));
    this.ended = new Promise((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.device = new FuseDevice(options.device, REQUEST_BYTES, () => this.turn());
  }

  /** Answers what is there, and looks for a moment for what comes next. */
  private turn(): void {
    let lingerUntil = performance.now() + LINGER_MS;
    for (let taken = 0; taken < TURN_REQUESTS;) {
      let received: Received;
      try {
        received = this.device.receive();
      } catch (error) {
        return this.stop(new Error(`the device of the mount failed: ${String(error)}`));
      }
      if (received === 'gone') return this.stop();
      if (received === 'request') {
        taken += 1;
        this.take(this.device.request);
        lingerUntil = performance.now() + LINGER_MS;
      }
      // What waits for something goes on in the event loop only.
      if (this.waiting.size > 0) {
        if (received === 'nothing') return;
        break;
      }
      if (received === 'nothing' && performance.now() >= lingerUntil) return;
    }
    this.device.schedule();
  }

  private stop(error?: Error): void {
    this.device.close();
    this.end(error);
  }

  private take(bytes: Buffer): void {
    let request: Request;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      this.options.onProblem(error.message);
      this.write(bytes.readBigUInt64LE(8), 'EIO');
      return;
    }
    if (request.kind === 'forget') {
      for (const { node, count } of request.forgets) this.options.fileSystem.forget(node, count);
    } else if (request.kind === 'interrupt') {
      // One that is not known was answered already.
      if (this.waiting.delete(request.target)) this.write(request.target, 'EINTR');
    } else this.serve(request);
  }

  private serve(request: Request): void {
    const { unique } = request;
    let answer: Answer | Promise<Answer>;
    try {
      answer = this.answers.answer(request);
    } catch (error) {
      answer = this.refusal(error);
    }
    if (!(answer instanceof Promise)) {
      this.write(unique, answer);
      if (request.kind === 'init') this.agreed();
      return;
    }
    this.waiting.add(unique);
    answer
      .catch((error: unknown) => this.refusal(error))
      .then((settled) => {
        if (this.waiting.delete(unique)) this.write(unique, settled);
      })
      .catch((error: unknown) => this.stop(error instanceof Error ? error : new Error(String(error))));
  }

  private refusal(error: unknown): RefusalCode {
    if (error instanceof Refusal) return error.code;
    this.options.onProblem(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 'EIO';
  }

  /** Bytes, or the name of a system error. */
  private write(unique: bigint, answer: Answer): void {
    const body = typeof answer === 'string' ? [] : answer;
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const header = encodeHeader(unique, typeof answer === 'string' ? errnoOf(answer) : 0, length);
    const refused = this.device.send([header, ...body]);
    if (refused !== undefined) this.options.onProblem(`the kernel refused an answer: ${refused}`);
  }
}
