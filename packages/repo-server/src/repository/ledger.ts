import { systemErrorCode, type LogKind } from '@cairn/core/server';
import { appendFile, mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * What clients did: one line of JSON each, only ever appended to, by any number of processes. The log says what was decided;
 * this says by which credential, and how much each of them put.
 */
export type LedgerLine =
  | { readonly t: number; readonly base: number }
  | { readonly t: number; readonly client: string; readonly put: string; readonly bytes: number }
  | {
      readonly t: number;
      readonly client: string;
      readonly log: number;
      readonly kind: LogKind;
      readonly bytes: number;
      /** SHA-256 of the entry, hex. */
      readonly hash: string;
      readonly pin?: string;
    }
  /** The administrator took this entry and all later ones out of the way. */
  | { readonly t: number; readonly aside: number }
  | {
      readonly t: number;
      readonly client: string;
      readonly removed: string;
      readonly bytes: number;
      readonly of?: string;
    };

/** What one credential did so far. */
export interface ClientUse {
  /** Bytes of packs and segments that it put and that are still there. */
  bytes: number;
  objects: number;
  lastSeenMs: number;
  lastCommitMs: number | undefined;
  commits: number;
  /** When its newest log entries came, and their bytes, for limits per day; oldest first. */
  readonly entries: { readonly t: number; readonly bytes: number }[];
}

const DAY_MS = 86_400_000;
/** Mostly there is a line or two to read; on opening there may be megabytes. */
const READ_BYTES = 64 * 1024;

/** Follows the file and adds it up. */
export class Ledger {
  readonly clients = new Map<string, ClientUse>();
  /** Who wrote each slot of the log, as far as it was written through a server. */
  readonly writers = new Map<number, string>();
  /** The newest entry that was acknowledged. */
  newestEntry: { readonly seq: number; readonly hash: string } | undefined;
  /** Who holds each pin. */
  readonly pins = new Map<string, string>();
  /** Bytes of all objects. */
  bytes = 0;
  /** Lines that could not be written since this process began: the numbers here are then too low. */
  failures = 0;
  private readonly path: string;
  private offset = 0;
  private rest = '';
  private hasBase = false;
  private owners: Map<string, string> | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param measure bytes of all objects in the store, asked when there is no ledger yet. */
  static async open(path: string, nowMs: number, measure: () => Promise<number>): Promise<Ledger> {
    const ledger = new Ledger(path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await ledger.follow();
    if (!ledger.hasBase) await ledger.record({ t: nowMs, base: await measure() });
    return ledger;
  }

  /** What is in the file, for whoever only looks; nothing when there is none. */
  static async read(path: string): Promise<Ledger> {
    const ledger = new Ledger(path);
    await ledger.follow();
    return ledger;
  }

  use(client: string): ClientUse {
    const known = this.clients.get(client);
    if (known !== undefined) return known;
    const fresh = { bytes: 0, objects: 0, lastSeenMs: 0, lastCommitMs: undefined, commits: 0, entries: [] };
    this.clients.set(client, fresh);
    return fresh;
  }

  /** Takes in what other processes wrote. */
  async follow(): Promise<void> {
    let file: FileHandle;
    try {
      file = await open(this.path, 'r');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.offset);
        if (bytesRead === 0) return;
        this.offset += bytesRead;
        const lines = `${this.rest}${buffer.toString('utf8', 0, bytesRead)}`.split('\n');
        this.rest = lines.pop() ?? '';
        for (const line of lines) this.read(line);
      }
    } finally {
      await file.close();
    }
  }

  /**
   * Appends a line. What it tells of has happened already: when it cannot be written, that is counted, and the numbers here are
   * too low until the next measuring.
   */
  async record(line: LedgerLine): Promise<void> {
    try {
      // What a full disk or a power cut left of the line before must not take this one with it.
      const begin = this.rest === '' ? '' : '\n';
      await appendFile(this.path, `${begin}${JSON.stringify(line)}\n`, { mode: 0o600 });
      await this.follow();
    } catch {
      this.failures += 1;
      this.add(line);
    }
  }

  /** Which client put an object. Reads the whole file the first time: objects are removed seldom, and many at a time. */
  async ownerOf(label: string): Promise<string | undefined> {
    if (this.owners === undefined) {
      const owners = new Map<string, string>();
      const copy = new Ledger(this.path);
      copy.owners = owners;
      await copy.follow();
      this.owners = owners;
    }
    return this.owners.get(label);
  }

  private read(text: string): void {
    if (text === '') return;
    let line: LedgerLine;
    try {
      line = JSON.parse(text) as LedgerLine;
    } catch {
      // A line that a full disk or a power cut cut short.
      this.failures += 1;
      return;
    }
    this.add(line);
  }

  private add(line: LedgerLine): void {
    if ('base' in line) {
      this.bytes = line.base;
      this.hasBase = true;
      return;
    }
    if ('aside' in line) {
      this.newestEntry = undefined;
      return;
    }
    const use = this.use(line.client);
    use.lastSeenMs = Math.max(use.lastSeenMs, line.t);
    if ('removed' in line) {
      this.bytes -= line.bytes;
      if (line.of !== undefined) this.use(line.of).bytes -= line.bytes;
      return;
    }
    this.bytes += line.bytes;
    if ('put' in line) {
      use.bytes += line.bytes;
      use.objects += 1;
      this.owners?.set(line.put, line.client);
      return;
    }
    this.writers.set(line.log, line.client);
    this.newestEntry = { seq: line.log, hash: line.hash };
    use.entries.push({ t: line.t, bytes: line.bytes });
    while ((use.entries[0]?.t ?? line.t) <= line.t - DAY_MS) use.entries.shift();
    if (line.pin !== undefined) this.pins.set(line.pin, line.client);
    if (line.kind !== 'COMMIT') return;
    use.commits += 1;
    use.lastCommitMs = line.t;
  }
}
