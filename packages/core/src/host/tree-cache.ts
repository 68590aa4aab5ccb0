import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import type { CachedTrees, TreeCache, TreeCacheWriter } from '../ports/tree-cache.ts';
import { systemErrorCode } from '../errors.ts';

/**
 * Layout of a cache file: the chunks back to back, then a table of `id:32 ‖ offset:u48 ‖ length:u32` sorted by id, then the
 * trailer: archive id 16, number of records u32, "CRNT". Numbers are little-endian.
 */
const RECORD_BYTES = 42;
const TRAILER_BYTES = 24;
const MAGIC = Buffer.from('CRNT', 'latin1');
const BUFFER_BYTES = 1024 * 1024;

/** A tree cache of files below `directory`, readable only by this user. */
export function directoryTreeCache(directory: string): TreeCache {
  const place = (repository: string, series: string): { folder: string; file: string } => {
    const folder = join(directory, repository);
    const name = createHash('sha256').update(series).digest('hex').slice(0, 32);
    return { folder, file: join(folder, `trees-${name}`) };
  };
  return {
    open: (repository, series) => openTrees(place(repository, series).file),
    write(repository, series) {
      const { folder, file } = place(repository, series);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      return new FileWriter(file);
    },
  };
}

function openTrees(file: string): CachedTrees | undefined {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const { size } = fstatSync(fd);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  const whole =
    size >= TRAILER_BYTES && readSync(fd, trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES) === TRAILER_BYTES;
  const count = trailer.readUInt32LE(16);
  const tableAt = size - TRAILER_BYTES - RECORD_BYTES * count;
  if (!whole || !trailer.subarray(20).equals(MAGIC) || tableAt < 0) {
    closeSync(fd);
    return undefined;
  }
  const table = Buffer.allocUnsafe(RECORD_BYTES * count);
  if (readSync(fd, table, 0, table.length, tableAt) !== table.length) {
    closeSync(fd);
    return undefined;
  }
  return {
    archive: trailer.toString('hex', 0, 16),
    read: (id) => readChunk(fd, table, id, tableAt),
    close: () => closeSync(fd),
  };
}

function readChunk(fd: number, table: Buffer, id: Uint8Array, tableAt: number): Uint8Array | undefined {
  let low = 0;
  let high = table.length / RECORD_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = RECORD_BYTES * middle;
    const order = table.compare(id, 0, 32, at, at + 32);
    if (order === 0) {
      const offset = table.readUIntLE(at + 32, 6);
      const length = table.readUInt32LE(at + 38);
      if (offset + length > tableAt) return undefined;
      const chunk = Buffer.allocUnsafe(length);
      return readSync(fd, chunk, 0, length, offset) === length ? chunk : undefined;
    }
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

class FileWriter implements TreeCacheWriter {
  private readonly file: string;
  private readonly temporary: string;
  private readonly fd: number;
  private readonly ids = new Set<string>();
  private readonly records: Buffer[] = [];
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private offset = 0;

  constructor(file: string) {
    this.file = file;
    this.temporary = `${file}.${randomBytes(6).toString('hex')}`;
    this.fd = openSync(this.temporary, 'wx', 0o600);
  }

  add(_type: number, id: Uint8Array, plaintext: Uint8Array): void {
    const name = Buffer.from(id).toString('latin1');
    if (this.ids.has(name)) return;
    this.ids.add(name);
    const record = Buffer.allocUnsafe(RECORD_BYTES);
    record.set(id);
    record.writeUIntLE(this.offset, 32, 6);
    record.writeUInt32LE(plaintext.length, 38);
    this.records.push(record);
    this.offset += plaintext.length;
    this.pending.push(Buffer.from(plaintext));
    this.pendingBytes += plaintext.length;
    if (this.pendingBytes >= BUFFER_BYTES) this.write();
  }

  private write(): void {
    let bytes: Uint8Array = Buffer.concat(this.pending);
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.fd, bytes));
    this.pending = [];
    this.pendingBytes = 0;
  }

  commit(archive: string): void {
    this.records.sort((a, b) => a.compare(b, 0, 32, 0, 32));
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.write(archive, 0, 'hex');
    trailer.writeUInt32LE(this.records.length, 16);
    MAGIC.copy(trailer, 20);
    this.pending.push(...this.records, trailer);
    this.write();
    closeSync(this.fd);
    renameSync(this.temporary, this.file);
  }

  discard(): void {
    closeSync(this.fd);
    unlinkSync(this.temporary);
  }
}
