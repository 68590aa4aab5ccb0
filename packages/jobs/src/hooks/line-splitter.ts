import { RUNS } from '@cairn/core';

/** Makes lines of the pieces that a program writes. A line that is too long is cut; control characters become spaces. */
export class LineSplitter {
  private readonly onLine: (line: string) => void;
  private readonly decoder = new TextDecoder('utf-8');
  private rest = '';

  constructor(onLine: (line: string) => void) {
    this.onLine = onLine;
  }

  add(piece: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(piece, { stream: true })).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.tell(line);
    if (this.rest.length <= RUNS.textBytes) return;
    this.tell(this.rest);
    this.rest = '';
  }

  /** Tells what stands behind the last line end. */
  finish(): void {
    this.tell(this.rest + this.decoder.decode());
    this.rest = '';
  }

  private tell(line: string): void {
    // What moves a terminal's cursor must not reach one through a record.
    const clean = line.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trimEnd();
    if (clean !== '') this.onLine(clean.slice(0, RUNS.textBytes));
  }
}
