import { writevSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { Refusal } from '../filesystem/refusal.ts';
import { LEAST_REQUEST_BUFFER } from '../protocol/constants.ts';
import { encodeHeader, errnoOf } from '../protocol/replies.ts';
import { decodeRequest, MalformedRequest, type Request } from '../protocol/requests.ts';
import { Answers, MOST_WRITE_BYTES, type Answer } from './answers.ts';
import type { FromRequestThread, RequestThreadData } from './messages.ts';
import { PlainNodes } from './plain-nodes.ts';

/** The longest request: the longest WRITE and its header; longer ones are refused by the kernel itself. */
const REQUEST_BYTES = LEAST_REQUEST_BUFFER + MOST_WRITE_BYTES;

/** How the device says that nobody waits for an answer any more: interrupted, or unmounted. */
const NOBODY_WAITS: readonly (string | undefined)[] = ['ENOENT', 'ENODEV', 'EPERM', 'ECONNABORTED'];

export interface SessionOptions {
  /** An open `/dev/fuse` that belongs to a mount. */
  readonly device: number;
  readonly fileSystem: ArchiveFileSystem;
  readonly checkPermissions: boolean;
  readonly onProblem: (text: string) => void;
}

/**
 * Serves one mount: a thread reads requests, this one answers them, in any order. Those who are interrupted while they wait are
 * answered at once, so that no program hangs that its user ends.
 */
export class FuseSession {
  /** Resolves when the mount is gone. */
  readonly ended: Promise<void>;
  /** Resolves when the kernel and this program have agreed on how they talk. */
  readonly ready: Promise<void>;
  private agreed: () => void = () => undefined;
  private readonly options: SessionOptions;
  private readonly answers: Answers;
  /** Requests that were not answered yet. */
  private readonly waiting = new Set<bigint>();

  constructor(options: SessionOptions) {
    this.options = options;
    const plain = new PlainNodes();
    this.answers = new Answers(options.fileSystem, options.checkPermissions, plain);
    const { device } = options;
    const thread = new Worker(new URL('./request-thread.js', import.meta.url), {
      workerData: { device, bufferBytes: REQUEST_BYTES, plainNodes: plain.shared } satisfies RequestThreadData,
      env: {},
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    });
    this.ready = new Promise((resolve) => (this.agreed = resolve));
    this.ended = new Promise((resolve, reject) => {
      thread.on('message', (message: FromRequestThread) => {
        if ('request' in message) this.receive(message.request);
        else if ('ended' in message) resolve();
        else reject(new Error(`the device of the mount failed: ${message.failed}`));
      });
      thread.on('error', reject);
    });
  }

  private receive(bytes: Uint8Array): void {
    let request: Request;
    try {
      request = decodeRequest(bytes);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      this.options.onProblem(error.message);
      const unique = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readBigUInt64LE(8);
      this.write(unique, 'EIO');
      return;
    }
    if (request.kind === 'forget') {
      for (const { node, count } of request.forgets) this.options.fileSystem.forget(node, count);
    } else if (request.kind === 'interrupt') {
      // One that is not known was answered already.
      if (this.waiting.delete(request.target)) this.write(request.target, 'EINTR');
    } else void this.serve(request);
  }

  private async serve(request: Request): Promise<void> {
    const { unique } = request;
    this.waiting.add(unique);
    let answer: Answer | string;
    try {
      answer = await this.answers.answer(request);
    } catch (error) {
      if (error instanceof Refusal) answer = error.code;
      else {
        this.options.onProblem(error instanceof Error ? (error.stack ?? error.message) : String(error));
        answer = 'EIO';
      }
    }
    if (this.waiting.delete(unique)) this.write(unique, answer);
    if (request.kind === 'init') this.agreed();
  }

  /** Bytes, or the name of a system error. */
  private write(unique: bigint, answer: Answer | string): void {
    const body = typeof answer === 'string' ? [] : answer;
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const header = encodeHeader(unique, typeof answer === 'string' ? errnoOf(answer) : 0, length);
    try {
      writevSync(this.options.device, [header, ...body]);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (!NOBODY_WAITS.includes(code)) this.options.onProblem(`the kernel refused an answer: ${message}`);
    }
  }
}
