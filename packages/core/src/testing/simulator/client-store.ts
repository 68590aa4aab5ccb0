import { CairnError, isCairnError } from '../../errors.ts';
import type { ObjectKey, ObjectKind } from '../../ids.ts';
import type { ByteRange, ObjectInfo, ObjectStore } from '../../ports/object-store.ts';
import { objectExists, objectLabel } from '../../stores/contract.ts';
import type { World } from './world.ts';

/**
 * The store of one client: each call waits until the world lets it go on, and may fail. A put is visible before it is durable, and a
 * list is no snapshot. Once the client is dead nothing of it reaches the store.
 */
export class ClientStore implements ObjectStore {
  readonly description = 'simulated store';
  /** A server judges what clients append; it never mistakes damage for an entry. */
  readonly keepsLog = true;
  dead = false;
  private readonly world: World;
  private readonly client: string;

  constructor(world: World, client: string) {
    this.world = world;
    this.client = client;
  }

  async put(key: ObjectKey, body: Uint8Array): Promise<void> {
    const { world } = this;
    const { random, rates } = world;
    const bytes = new Uint8Array(body);
    const what = `put ${world.label(key)}`;
    if (random.chance(rates.late)) {
      await this.turn(`${what} (late)`, false, async () => {
        world.late.push({ key, body: bytes });
        throw new CairnError('STORE_UNREACHABLE', `simulated: no answer to ${what}`);
      });
    }
    let visible = false;
    await this.turn(what, false, async () => {
      if (visible) {
        world.sync(key);
        if (random.chance(rates.twice)) world.late.push({ key, body: bytes });
        return true;
      }
      if (world.objects.has(objectLabel(key))) {
        world.sync(key);
        throw objectExists(key, this.description);
      }
      await world.show(key, bytes);
      visible = true;
      return false;
    });
  }

  async get(key: ObjectKey, options: { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    let bytes = new Uint8Array();
    await this.turn(`get ${this.world.label(key)}`, true, async () => {
      bytes = new Uint8Array(await this.world.store.get(key, options));
      return true;
    });
    return bytes;
  }

  async *list(kind: ObjectKind): AsyncGenerator<ObjectInfo> {
    const { objects } = this.world;
    const infos: ObjectInfo[] = [];
    await this.turn(`list ${kind}`, true, async () => {
      for await (const info of this.world.store.list(kind)) infos.push(info);
      return true;
    });
    const half = infos.length >> 1;
    yield* infos.slice(0, half);
    if (infos.length > 1) await this.turn(`list more ${kind}`, true, async () => true);
    for (const info of infos.slice(half)) if (objects.has(objectLabel(info))) yield info;
  }

  async delete(key: ObjectKey): Promise<void> {
    await this.turn(`delete ${this.world.label(key)}`, false, async () => {
      await this.world.remove(key);
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }

  /** Waits until `work` has had all its turns; its errors, and those that chance makes, are the caller's. */
  private async turn(what: string, isRead: boolean, work: () => Promise<boolean>): Promise<void> {
    if (this.dead) throw new CairnError('STORE_UNREACHABLE', `simulated: the client is dead at ${what}`);
    let failure: unknown;
    await new Promise<void>((resolve) => {
      this.world.calls.push({
        client: this.client,
        what,
        isRead,
        async run() {
          try {
            return await work();
          } catch (error) {
            failure = error;
            return true;
          }
        },
        end(error) {
          // What the store said counts, unless its answer got lost.
          if (error !== undefined && !isCairnError(failure, 'STORE_UNREACHABLE')) failure = error;
          resolve();
        },
      });
    });
    if (failure !== undefined) throw failure;
  }
}
