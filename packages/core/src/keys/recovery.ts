import { timingSafeEqual } from 'node:crypto';

import type { Capabilities } from '../crypto/capabilities.ts';
import { CairnError, invariant } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import { decodeBase32, encodeBase32, inGroups, normaliseBase32, strangerIn } from './base32.ts';
import { readRecoveryPayload, recoveryPayload } from './recovery-payload.ts';
import { wipe } from './wipe.ts';

const GROUP = 5;
const RECOVERY_GROUPS = 17;
const CHARACTERS = GROUP * RECOVERY_GROUPS;

/** Lines around the recovery key in a longer text. */
export const RECOVERY_BEGIN = '-----BEGIN CAIRN RECOVERY KEY-----';
export const RECOVERY_END = '-----END CAIRN RECOVERY KEY-----';

/** The root key for people: 17 groups of 5 joined by `-`. Rejects with `RIGHT_MISSING` without the root key. */
export function encodeRecoveryKey(suite: CryptoSuite, capabilities: Capabilities): string {
  const payload = recoveryPayload(suite, capabilities);
  const text = inGroups(encodeBase32(payload), GROUP);
  wipe(payload);
  return text;
}

/**
 * Reads a recovery key: the groups alone in any case and spacing, `0 1 8` for `O I B`, or a text that has them between
 * its BEGIN and END lines. Rejects with `USAGE` when it cannot be one, naming the group where it can; with `CORRUPT` when
 * a character is mistyped; with `FORMAT_UNSUPPORTED` for another version.
 */
export function parseRecoveryKey(suite: CryptoSuite, text: string): Capabilities {
  const typed = between(text);
  const normalised = normaliseBase32(typed);
  const stranger = strangerIn(normalised);
  if (stranger !== undefined) {
    const group = Math.floor([...normalised].indexOf(stranger) / GROUP) + 1;
    throw notOne(`${JSON.stringify(stranger)} is in no recovery key`, group);
  }
  if (normalised.length !== CHARACTERS) {
    const groups = typed.split(/[\s\p{Pd}]+/u).filter((group) => group !== '');
    const uneven = groups.findIndex((group) => normaliseBase32(group).length !== GROUP);
    throw notOne(
      `it has ${normalised.length} characters, not ${CHARACTERS}`,
      groups.length === RECOVERY_GROUPS && uneven !== -1 ? uneven + 1 : undefined,
    );
  }
  const payload = decodeBase32(normalised);
  if (payload === undefined) throw notOne('its last character cannot be right', RECOVERY_GROUPS);
  return readRecoveryPayload(suite, payload);
}

function between(text: string): string {
  const begin = text.indexOf(RECOVERY_BEGIN);
  if (begin === -1) return text;
  const end = text.indexOf(RECOVERY_END, begin);
  if (end === -1) throw notOne(`the line ${RECOVERY_END} is missing: it is cut off`);
  return text.slice(begin + RECOVERY_BEGIN.length, end);
}

function notOne(reason: string, group?: number): CairnError {
  const where = group === undefined ? '' : `, group ${group}`;
  return new CairnError('USAGE', `not a recovery key${where}: ${reason}`, {
    hint: `A recovery key is ${RECOVERY_GROUPS} groups of ${GROUP} letters and digits.`,
    ...(group === undefined ? {} : { details: { group } }),
  });
}

/** Group `number` (from 1) of a recovery key. Rejects with `USAGE` when there is no such group. */
export function groupOf(recoveryKey: string, number: number): string {
  const group = recoveryKey.split('-')[number - 1];
  if (group === undefined) {
    throw new CairnError('USAGE', `a recovery key has no group ${number}`, {
      hint: `Groups are numbered from 1 to ${RECOVERY_GROUPS}.`,
    });
  }
  return group;
}

/** `count` different group numbers, ascending, to ask a person for. */
export function pickGroups(random: Random, count: number): number[] {
  invariant(count >= 1 && count <= RECOVERY_GROUPS, 'a recovery key has that many groups');
  const picked = new Set<number>();
  while (picked.size < count) {
    const byte = random.bytes(1)[0] ?? 0;
    // 255 is a multiple of 17: without the last value every group is as likely.
    if (byte < 255) picked.add((byte % RECOVERY_GROUPS) + 1);
  }
  return [...picked].sort((a, b) => a - b);
}

export interface GroupAnswer {
  /** From 1. */
  readonly group: number;
  readonly text: string;
}

/**
 * True when every group was typed right: proof that the recovery key was written down. Takes as long whichever character
 * is wrong. Rejects with `USAGE` when there is no such group.
 */
export function checkGroups(recoveryKey: string, answers: readonly GroupAnswer[]): boolean {
  invariant(answers.length > 0, 'at least one group is asked for');
  let right = true;
  for (const { group, text } of answers) {
    const expected = Buffer.from(groupOf(recoveryKey, group), 'latin1');
    const typed = normaliseBase32(text);
    const given = Buffer.alloc(expected.length);
    given.write(typed);
    const same = timingSafeEqual(expected, given);
    right = same && typed.length === expected.length && right;
  }
  return right;
}
