import { setImmediate as turn } from 'node:timers/promises';

import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../../../dist/index.js';
import type { ObjectKey, ObjectKind } from '../../../dist/ids.js';

/** A call of a store that waits for its turn. Reading what never changes needs none, unless it may be removed meanwhile. */
export interface Operation {
  readonly call: 'put' | 'get' | 'list' | 'delete';
  readonly kind: ObjectKind;
  /** Empty for a listing. */
  readonly name: string;
}

interface Waiting {
  readonly operation: Operation;
  readonly go: () => void;
}

/** Turns of the event loop after which something that was let go must have come to its next call. */
const PATIENCE = 100_000;

/**
 * One client: a real verb whose calls of the store wait until they are let go, one by one. So a test decides how the
 * clients' steps are mixed, and where one of them dies.
 */
export class Actor {
  readonly name: string;
  error: unknown;
  private readonly waiting: Waiting[] = [];
  private state: 'running' | 'ended' | 'dead' = 'running';

  private constructor(name: string) {
    this.name = name;
  }

  /**
   * Starts `work` on a gated store, up to its first call.
   * @param reads packs and segments wait for their turn, too, before they are read.
   */
  static async start(
    name: string,
    inner: ObjectStore,
    work: (store: ObjectStore) => Promise<unknown>,
    reads = false,
  ): Promise<Actor> {
    const actor = new Actor(name);
    void work(gated(inner, actor, reads)).then(
      () => actor.end(),
      (error: unknown) => {
        actor.error = error;
        actor.end();
      },
    );
    await actor.settle();
    return actor;
  }

  /** What the next call is, or undefined when it has ended, well or not, or died. */
  get next(): Operation | undefined {
    return this.state === 'running' ? this.waiting[0]?.operation : undefined;
  }

  /** Lets the next call happen, and waits for the one after it. */
  async step(): Promise<void> {
    this.waiting.shift()?.go();
    await this.settle();
  }

  /** Steps until the next call is such a one; false when it ended before. */
  async until(wanted: (operation: Operation) => boolean): Promise<boolean> {
    for (;;) {
      const { next } = this;
      if (next === undefined) return false;
      if (wanted(next)) return true;
      await this.step();
    }
  }

  /** Steps to the end. Rejects with what its work rejected with. */
  async finish(): Promise<void> {
    await this.until(() => false);
    if (this.error !== undefined) throw this.error;
  }

  /** Never does anything again, like a machine without power. @param applied its next call still reaches the store. */
  async die(applied: boolean): Promise<void> {
    const next = this.waiting.shift();
    if (applied) next?.go();
    await turn();
    this.state = 'dead';
    this.waiting.length = 0;
  }

  gate(operation: Operation): Promise<void> {
    if (this.state === 'dead') return new Promise(() => undefined);
    return new Promise((go) => this.waiting.push({ operation, go }));
  }

  private end(): void {
    if (this.state === 'running') this.state = 'ended';
  }

  private async settle(): Promise<void> {
    for (let turns = 0; this.state === 'running' && this.waiting.length === 0; turns++) {
      if (turns === PATIENCE) throw new Error(`${this.name} waits for something else than its store`);
      await turn();
    }
    // Calls that are made side by side.
    await turn();
  }
}

function gated(inner: ObjectStore, actor: Actor, reads: boolean): ObjectStore {
  const gate = (call: Operation['call'], kind: ObjectKind, name: string): Promise<void> =>
    actor.gate({ call, kind, name });
  return {
    description: inner.description,
    keepsLog: inner.keepsLog,
    async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
      await gate('put', key.kind, key.name);
      await inner.put(key, body, options);
    },
    async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }) {
      if (reads || key.kind === 'log') await gate('get', key.kind, key.name);
      return await inner.get(key, options);
    },
    async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
      await gate('list', kind, '');
      yield* inner.list(kind, options);
    },
    async delete(key: ObjectKey, options?: CallOptions) {
      await gate('delete', key.kind, key.name);
      await inner.delete(key, options);
    },
    async [Symbol.asyncDispose]() {
      // The world owns the objects.
    },
  };
}
