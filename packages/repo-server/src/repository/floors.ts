import { LIMITS, type Decision, type Decisions } from '@cairn/core/server';

import { showDuration } from '../quantities.ts';

/** What no credential can go below: the host's own file says it. */
export interface Floors {
  /** Milliseconds between a DELETE and the drop of an archive, and between a CONDEMN and the SWEEP of an object. */
  readonly graceMs: number;
  /** Archives that must stay, live ones at a DELETE, not dropped ones at a CONDEMN. */
  readonly keptArchives: number;
  /** Largest part of the archives that may be deleted in 24 hours, and of the packs that may be condemned; 1 is all. */
  readonly shareADay: number;
}

const DAY_MS = 86_400_000;

/** What the judging of an entry needs beside the log. */
export interface Circumstances {
  readonly floors: Floors;
  readonly nowMs: number;
  /** How many packs the store has; asked only when a share is limited. */
  readonly countPacks: () => Promise<number>;
}

/**
 * Which floor a decision would break, for people, or undefined: rules S5 to S7 and S9, and the host's own numbers. Rules of the log
 * itself were checked before.
 */
export async function belowFloor(
  decision: Decision,
  decisions: Decisions,
  circumstances: Circumstances,
): Promise<string | undefined> {
  switch (decision.kind) {
    case 'PIN':
      return pinTooLong(decision.until, circumstances.nowMs);
    case 'DELETE':
      return deletesTooMany(decision.archives, decisions, circumstances);
    case 'CONDEMN':
      return (
        dropsTooEarly(decision.dropped, decisions, circumstances) ??
        dropsTooMany(decision.dropped, decisions, circumstances) ??
        (await condemnsTooMany(decision.packs, decisions, circumstances))
      );
    case 'SWEEP':
      return (
        sweepsTooEarly(decision.packs, decisions.condemnedPacks, circumstances) ??
        sweepsTooEarly(decision.segments, decisions.condemnedSegments, circumstances)
      );
    default:
      return undefined;
  }
}

function pinTooLong(untilNs: bigint, nowMs: number): string | undefined {
  if (Number(untilNs / 1_000_000n) <= nowMs + LIMITS.serverPinMs) return undefined;
  return `a pin may last ${showDuration(LIMITS.serverPinMs)} at most`;
}

function deletesTooMany(
  ids: readonly string[],
  decisions: Decisions,
  { floors, nowMs }: Circumstances,
): string | undefined {
  const live = [...decisions.archives.values()].filter((archive) => archive.state === 'live').length;
  const fresh = new Set(ids.filter((id) => decisions.archives.get(id)?.state === 'live')).size;
  if (fresh > 0 && live - fresh < floors.keptArchives) {
    return `this host keeps at least ${floors.keptArchives} archives, and ${live - fresh} would be left`;
  }
  const lately = [...decisions.archives.values()].filter(
    ({ deletedMs }) => (deletedMs ?? -DAY_MS) > nowMs - DAY_MS,
  ).length;
  const most = mostOf(live + lately, floors.shareADay);
  if (fresh === 0 || lately + fresh <= most) return undefined;
  return `this host lets ${most} archives be deleted in 24 hours; ${lately} were, and this is ${fresh} more`;
}

function dropsTooEarly(
  ids: readonly string[],
  decisions: Decisions,
  { floors, nowMs }: Circumstances,
): string | undefined {
  for (const id of ids) {
    const archive = decisions.archives.get(id);
    if (archive?.protect === true) return `archive ${id} is protected`;
    const sinceMs = archive?.deletedMs;
    if (sinceMs === undefined || nowMs - sinceMs < floors.graceMs)
      return tooEarly(`archive ${id}`, sinceMs, floors, nowMs);
    const pinned = [...decisions.pins.values()].some(
      (pin) => pin.archives.includes(id) && Number(pin.until / 1_000_000n) > nowMs,
    );
    if (pinned) return `archive ${id} is pinned`;
  }
  return undefined;
}

function tooEarly(what: string, sinceMs: number | undefined, { graceMs }: Floors, nowMs: number): string {
  const left = sinceMs === undefined ? graceMs : graceMs - (nowMs - sinceMs);
  return `the grace of ${what} is not over: ${showDuration(left)} of ${showDuration(graceMs)} are left`;
}

function dropsTooMany(ids: readonly string[], decisions: Decisions, { floors }: Circumstances): string | undefined {
  if (ids.length === 0) return undefined;
  const roots = [...decisions.archives.values()].filter((archive) => archive.state !== 'dropped').length;
  if (roots - ids.length >= floors.keptArchives) return undefined;
  return `this host keeps at least ${floors.keptArchives} archives, and ${roots - ids.length} would be left`;
}

async function condemnsTooMany(
  names: readonly string[],
  decisions: Decisions,
  { floors, nowMs, countPacks }: Circumstances,
): Promise<string | undefined> {
  if (floors.shareADay >= 1 || names.length === 0) return undefined;
  const fresh = new Set(names.filter((name) => !decisions.condemnedPacks.has(name))).size;
  const lately = [...decisions.condemnedPacks.values()].filter(({ sinceMs }) => sinceMs > nowMs - DAY_MS).length;
  const most = mostOf(await countPacks(), floors.shareADay);
  if (lately + fresh <= most) return undefined;
  return `this host lets ${most} packs be condemned in 24 hours; ${lately} were, and this is ${fresh} more`;
}

/** At least one, so that a small repository can be tidied at all. */
function mostOf(count: number, share: number): number {
  return Math.max(1, Math.floor(count * share));
}

function sweepsTooEarly(
  names: readonly string[],
  condemned: ReadonlyMap<string, { readonly sinceMs: number }>,
  { floors, nowMs }: Circumstances,
): string | undefined {
  const early = names.find((name) => nowMs - (condemned.get(name)?.sinceMs ?? nowMs) < floors.graceMs);
  return early === undefined ? undefined : tooEarly(`object ${early}`, condemned.get(early)?.sinceMs, floors, nowMs);
}
