import { Worker } from 'node:worker_threads';

import { ownMemory } from '../codec/own-memory.ts';
import { CairnError, invariant } from '../errors.ts';
import { endThread } from '../flow/threads.ts';
import { makeRelease, type Release } from '../host/memory.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import type { FromVerifier, ToVerifier } from './verifier-messages.ts';
import { PackVerifier, type PackVerdict, type VerifierKeys } from './verify-pack.ts';

/** A thread makes much short-lived garbage and keeps nothing: a small young generation serves it as well as a large one. */
const YOUNG_MB = 4;

interface Waiting {
  readonly resolve: (verdict: PackVerdict) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  /** Packs given to it, in order. */
  readonly waiting: Waiting[];
}

/** Verifies packs on worker threads, or in this thread when there are none. Threads start with the first pack. */
export class VerifierCrew {
  private readonly keys: VerifierKeys;
  private readonly local: PackVerifier | undefined;
  private readonly threads: number;
  private readonly members: Member[] = [];
  private release: Promise<Release> | undefined;
  private failure: { readonly error: unknown } | undefined;

  /** @param threads 0: none, everything is done here. Threads use the node suite. */
  constructor(suite: CryptoSuite, zstd: Zstd, keys: VerifierKeys, threads: number) {
    this.keys = keys;
    this.threads = threads;
    this.local = threads === 0 ? new PackVerifier(suite, zstd, keys) : undefined;
  }

  /** @param object is given away: its memory may move to another thread. */
  async verify(name: string, object: Uint8Array): Promise<PackVerdict> {
    if (this.local !== undefined) {
      this.release ??= makeRelease();
      const verdict = this.local.verify(name, object);
      (await this.release)(object);
      return verdict;
    }
    if (this.failure !== undefined) throw this.failure.error;
    while (this.members.length < this.threads) this.members.push(this.start());
    const member = this.members.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
    return await new Promise((resolve, reject) => {
      member.waiting.push({ resolve, reject });
      const own = ownMemory(object);
      send(member, { type: 'pack', name, object: own }, [own.buffer]);
    });
  }

  private start(): Member {
    const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
      env: {},
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const member: Member = { worker, waiting: [] };
    worker.on('message', (message: FromVerifier) => {
      if (message.type === 'failed') return this.fail(new CairnError('INTERNAL', message.message));
      const waiting = member.waiting.shift();
      invariant(waiting !== undefined, 'a verifier answers what it was asked');
      waiting.resolve(message.verdict);
    });
    worker.on('error', (error) => this.fail(error));
    worker.on('exit', () => this.fail(new CairnError('INTERNAL', 'a thread of the check ended before its work')));
    send(member, { type: 'setup', keys: this.keys });
    return member;
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    for (const { waiting } of this.members) for (const { reject } of waiting.splice(0)) reject(error);
  }

  /** Ends the threads when they have done what they were given. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ worker }) => endThread(worker)));
  }
}

function send({ worker }: Member, message: ToVerifier, transfer: ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}
