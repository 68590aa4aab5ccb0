import {
  ENTRY_KIND_NAME,
  displayName,
  droppableFromMs,
  GRACE_DEFAULT_MS,
  isUtf8,
  toUtf8,
  type ArchiveRecord,
  type ByteString,
  type TreeEntry,
} from '@cairn/core';

import { bytesField, type JsonObject } from './json.ts';
import { exactTime, storeTime } from './times.ts';

export function archiveJson(archive: ArchiveRecord): JsonObject {
  const { descriptor } = archive;
  const { stats } = descriptor;
  const paths = descriptor.paths.map((path) => Buffer.from(path).toString('latin1'));
  const droppableMs = droppableFromMs(archive, GRACE_DEFAULT_MS);
  return {
    id: archive.id,
    name: archive.name,
    series: descriptor.series,
    host: descriptor.host,
    user: descriptor.user,
    started: exactTime(descriptor.startNs),
    ended: exactTime(descriptor.endNs),
    ...(archive.receivedMs === 0 ? {} : { received: storeTime(archive.receivedMs) }),
    paths: paths.map((path) => (isUtf8(path) ? toUtf8(path) : displayName(path))),
    ...(paths.every(isUtf8) ? {} : { paths_b64: paths.map((path) => Buffer.from(path, 'latin1').toString('base64')) }),
    state: archive.state,
    ...(archive.deletedMs === undefined ? {} : { deleted: storeTime(archive.deletedMs) }),
    ...(droppableMs === undefined ? {} : { droppable: storeTime(droppableMs) }),
    complete: descriptor.complete,
    protected: archive.protect,
    tags: archive.tags,
    comment: archive.comment,
    program: descriptor.program,
    ...(descriptor.parent === null ? {} : { parent: Buffer.from(descriptor.parent).toString('hex') }),
    stats: {
      files: stats.files,
      directories: stats.directories,
      others: stats.others,
      bytes: stats.bytes,
      new_bytes: stats.newBytes,
      stored_bytes: stats.storedBytes,
      chunks: stats.chunks,
      new_chunks: stats.newChunks,
    },
    warnings: Object.fromEntries(descriptor.warnings),
  };
}

export function entryJson(path: ByteString, entry: TreeEntry): JsonObject {
  return {
    ...bytesField('path', path),
    type: ENTRY_KIND_NAME[entry.kind],
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    ...(entry.user === null ? {} : { user: entry.user }),
    ...(entry.group === null ? {} : { group: entry.group }),
    size: entry.size,
    mtime: exactTime(entry.mtimeNs),
    ...(entry.target === null ? {} : bytesField('target', entry.target)),
    ...(entry.device === null ? {} : { device: entry.device.join(':') }),
    ...(entry.xattrs === null ? {} : { xattrs: entry.xattrs.map(([name]) => displayName(name)) }),
  };
}
