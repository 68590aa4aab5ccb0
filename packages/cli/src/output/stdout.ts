import { once } from 'node:events';

/** Characters gathered before they are written: one system call for a thousand lines. */
const BUFFERED = 64 * 1024;

/** The results of a command, and nothing else, go to standard output. */
export class Stdout {
  private readonly stream: NodeJS.WriteStream;
  private pending = '';

  constructor(stream: NodeJS.WriteStream) {
    this.stream = stream;
  }

  /** True when a person reads along. */
  get isTerminal(): boolean {
    return this.stream.isTTY === true;
  }

  /** Writes a line. Gives a promise only when the reader is slower and must be waited for. */
  line(text: string): Promise<void> | undefined {
    this.pending += `${text}\n`;
    return this.pending.length < BUFFERED ? undefined : this.flush();
  }

  /** Writes bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    await this.flush();
    // The stream may keep what it cannot write yet, and the caller may use its buffer again.
    if (!this.stream.write(Buffer.from(bytes))) await once(this.stream, 'drain');
  }

  async flush(): Promise<void> {
    const text = this.pending;
    this.pending = '';
    if (text !== '' && !this.stream.write(text)) await once(this.stream, 'drain');
  }
}
