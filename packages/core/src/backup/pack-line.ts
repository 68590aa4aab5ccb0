import type { BuiltPack } from '../pack/builder.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { PackSink } from './content-processor.ts';

/** Packs that each thread may have on its way to a store that is far away, 16 MiB each: enough to hide the way there and back. */
const FAR_PACKS = 2;

/** Packs that each thread may have on its way. A disk is kept busy by one; each more costs 16 MiB of memory. */
export function packsUnderWay({ localPath }: ObjectStore): number {
  return localPath === undefined ? FAR_PACKS : 1;
}

/** Hands the packs of this thread to the store, so many at once. What fails ends the run at its next pack. */
export class PackLine implements PackSink {
  private readonly put: (pack: BuiltPack) => Promise<void>;
  private readonly most: number;
  private readonly going = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(put: (pack: BuiltPack) => Promise<void>, most: number) {
    this.put = put;
    this.most = most;
  }

  async ready(): Promise<void> {
    await this.atMost(this.most - 1);
  }

  async take(pack: BuiltPack, recycle: (memory: ArrayBuffer) => void): Promise<void> {
    const putting = this.put(pack).then(
      () => recycle(pack.object.buffer as ArrayBuffer),
      (error: unknown) => void (this.failure ??= { error }),
    );
    this.going.add(putting);
    void putting.then(() => this.going.delete(putting));
    // With one at a time there is nothing to gain, and a failure is noticed at once.
    if (this.most === 1) await this.drained();
  }

  async drained(): Promise<void> {
    await this.atMost(0);
  }

  relieve(): void {
    // This thread seals little.
  }

  private async atMost(count: number): Promise<void> {
    while (this.going.size > count) await Promise.race(this.going);
    if (this.failure !== undefined) throw this.failure.error;
  }
}
