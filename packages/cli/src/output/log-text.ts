import { exactTime, storeTime, type JsonObject } from '@cairn/api/shapes';
import type { HistoryEntry } from '@cairn/core';

import { counted, formatStoreTime, formatTime } from './format.ts';
import { safeText } from './safe-text.ts';

/** Archives that a line names; more are counted. */
const NAMED = 3;

/** The name of an archive by its id. */
export type NameOf = (id: string) => string;

/** Seq, time, kind and what was decided: cells of a table. */
export function logRow(logged: HistoryEntry, nameOf: NameOf): string[] {
  const { seq, receivedMs, entry } = logged;
  const kind = entry.kind === 'UNREADABLE' ? entry.decision.kind : entry.kind;
  return [String(seq), formatStoreTime(receivedMs), kind, factsOf(logged, nameOf).join('; ')];
}

function factsOf({ entry, archives, holder, origin }: HistoryEntry, nameOf: NameOf): string[] {
  const about = archives.length === 0 ? [] : [named(archives, nameOf)];
  switch (entry.kind) {
    case 'UNREADABLE':
      return [...about, `cannot be read: ${safeText(entry.why)}`];
    case 'COMMIT': {
      const { user, host } = entry.descriptor;
      const made = origin === undefined ? [] : [`rewritten from ${nameText(origin, nameOf)}`];
      const rescued = entry.rescuedPacks.length + entry.rescuedSegments.length;
      return [
        ...about,
        safeText(user === '' ? host : `${user}@${host}`),
        ...made,
        ...(rescued === 0 ? [] : [`rescued ${counted(rescued, 'object')}`]),
      ];
    }
    case 'DELETE':
    case 'UNDELETE':
      return [...about, ...told(entry.reason)];
    case 'ANNOTATE': {
      const { protect, name, comment, tags } = entry;
      return [
        ...about,
        ...(protect === null ? [] : [protect ? 'protected' : 'not protected any more']),
        ...(name === null ? [] : [`called ${safeText(name)}`]),
        ...(comment === null ? [] : [`comment ${JSON.stringify(safeText(comment))}`]),
        ...(tags === null ? [] : [tags.length === 0 ? 'no tags' : tags.map((tag) => `#${safeText(tag)}`).join(' ')]),
      ];
    }
    case 'PIN':
      return [...about, ...told(holder), `until ${formatTime(entry.until)}`];
    case 'UNPIN':
      return [...about, ...told(holder)];
    case 'CONDEMN':
      return [...(about.length === 0 ? [] : [`dropped ${about[0]}`]), ...objects(entry), ...told(entry.reason)];
    case 'SWEEP':
      return objects(entry);
    case 'RESCUE':
      return [...objects(entry), ...told(entry.reason)];
    case 'INDEX':
      return objects({ packs: [], segments: entry.segments });
    case 'CHECK': {
      const { level, objects: looked, findings } = entry;
      return [safeText(level), counted(looked, 'object'), counted(findings, 'finding')];
    }
  }
}

function told(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : [safeText(text)];
}

function objects({
  packs,
  segments,
}: {
  readonly packs: readonly string[];
  readonly segments: readonly string[];
}): string[] {
  return [
    ...(packs.length === 0 ? [] : [counted(packs.length, 'pack')]),
    ...(segments.length === 0 ? [] : [counted(segments.length, 'index segment')]),
  ];
}

function nameText(id: string, nameOf: NameOf): string {
  return `${safeText(nameOf(id))} (${id.slice(0, 8)})`;
}

function named(ids: readonly string[], nameOf: NameOf): string {
  const shown = ids.slice(0, NAMED).map((id) => nameText(id, nameOf));
  return ids.length > NAMED ? `${shown.join(', ')} and ${ids.length - NAMED} more` : shown.join(', ');
}

/** An entry of the log as JSON; `docs/reference/json.md`, logged. */
export function logJson(
  { seq, receivedMs, writtenNs, entry, archives, holder, origin }: HistoryEntry,
  nameOf: NameOf,
): JsonObject {
  const common = {
    seq,
    received: storeTime(receivedMs),
    written: exactTime(writtenNs),
    kind: entry.kind === 'UNREADABLE' ? entry.decision.kind : entry.kind,
    archives: archives.map((id) => ({ id, name: nameOf(id) })),
    holder,
  };
  switch (entry.kind) {
    case 'UNREADABLE':
      return { ...common, unreadable: entry.why };
    case 'COMMIT': {
      const { segments, rescuedPacks, rescuedSegments, descriptor } = entry;
      const { host, user } = descriptor;
      return {
        ...common,
        host,
        user,
        origin,
        segments,
        rescued_packs: rescuedPacks,
        rescued_segments: rescuedSegments,
      };
    }
    case 'DELETE':
    case 'UNDELETE':
      return { ...common, reason: entry.reason };
    case 'ANNOTATE': {
      const { protect, name, comment, tags } = entry;
      return {
        ...common,
        protected: protect ?? undefined,
        name: name ?? undefined,
        comment: comment ?? undefined,
        tags: tags ?? undefined,
      };
    }
    case 'PIN':
      return { ...common, pin: entry.pin, until: exactTime(entry.until) };
    case 'UNPIN':
      return { ...common, pin: entry.pin };
    case 'CONDEMN':
    case 'RESCUE':
      return { ...common, packs: entry.packs, segments: entry.segments, reason: entry.reason };
    case 'SWEEP':
      return { ...common, packs: entry.packs, segments: entry.segments };
    case 'INDEX':
      return { ...common, segments: entry.segments };
    case 'CHECK': {
      const { startedNs, endedNs, level, objects: looked, bytes, findings } = entry;
      return {
        ...common,
        check: {
          started: exactTime(startedNs),
          ended: exactTime(endedNs),
          level,
          objects: looked,
          bytes_read: bytes,
          findings,
        },
      };
    }
  }
}
