import { ownMemory } from './joined.ts';

/** Counts the chunks in memory that several were opened into, so that it can be freed with the last of them. */
export class SharedMemory {
  private readonly parts = new WeakMap<ArrayBufferLike, number>();

  /** So many chunks lie in this memory. */
  note(memory: ArrayBufferLike, parts: number): void {
    this.parts.set(memory, parts);
  }

  /** One chunk is not kept any more. Gives the memory that nothing else lies in now; undefined when something may. */
  letGo(chunk: Uint8Array): ArrayBuffer | undefined {
    const { buffer } = chunk;
    const left = this.parts.get(buffer);
    if (left === undefined || !(buffer instanceof ArrayBuffer)) return ownMemory(chunk);
    this.parts.set(buffer, left - 1);
    return left === 1 ? buffer : undefined;
  }
}
