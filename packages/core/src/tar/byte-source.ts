import { asBuffer } from '../codec/as-buffer.ts';
import { BLOCK_BYTES } from './header.ts';
import { tarError } from './tar-error.ts';

/** Reads a stream in the portions that its parser asks for. */
export class ByteSource {
  /** Bytes taken so far. */
  position = 0;
  private readonly iterator: AsyncIterator<Uint8Array>;
  private piece: Buffer = Buffer.alloc(0);
  private ended = false;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.iterator = pieces[Symbol.asyncIterator]();
  }

  /** The next block; undefined at the end of the stream. Rejects with `TAR_INVALID` when it ends inside of one. */
  async block(): Promise<Buffer | undefined> {
    if (this.piece.length === 0 && !(await this.fill())) return undefined;
    return await this.take(BLOCK_BYTES);
  }

  /** Exactly so many bytes, in memory of their own. Rejects with `TAR_INVALID` when the stream ends before. */
  async take(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    let done = 0;
    while (done < length) {
      const part = await this.part(length - done);
      part.copy(bytes, done);
      done += part.length;
    }
    return bytes;
  }

  /** Up to so many bytes, one at least: a view, valid until the next call. */
  async part(most: number): Promise<Buffer> {
    if (this.piece.length === 0 && !(await this.fill())) {
      throw tarError(
        this.position,
        'it ends in the middle of a member',
        'Nothing was imported. It was cut off: make or send it again.',
      );
    }
    const part = this.piece.subarray(0, most);
    this.piece = this.piece.subarray(part.length);
    this.position += part.length;
    return part;
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0;) left -= (await this.part(left)).length;
  }

  /** Reads what is left. Rejects with `TAR_INVALID` when it is not zeros only: somebody put a second archive there. */
  async drain(): Promise<void> {
    while (this.piece.length > 0 || (await this.fill())) {
      const part = await this.part(Infinity);
      const wrong = part.findIndex((byte) => byte !== 0);
      if (wrong !== -1) {
        const offset = this.position - part.length + wrong;
        throw tarError(
          offset,
          'there is more after its end',
          'Nothing was imported. If these are several archives in one, import each.',
        );
      }
    }
  }

  /** Tells the source that nobody wants the rest. */
  async close(): Promise<void> {
    if (!this.ended) await this.iterator.return?.();
  }

  private async fill(): Promise<boolean> {
    while (!this.ended && this.piece.length === 0) {
      const next = await this.iterator.next();
      if (next.done === true) this.ended = true;
      else this.piece = asBuffer(next.value);
    }
    return this.piece.length > 0;
  }
}
