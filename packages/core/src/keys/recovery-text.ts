import { type Capabilities, fingerprintOf } from '../crypto/capabilities.ts';
import { toHex } from '../ids.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { formatFingerprint } from './fingerprint.ts';
import { encodeRecoveryKey, RECOVERY_BEGIN, RECOVERY_END } from './recovery.ts';
import { timeText } from './time-text.ts';

/** What the exported root key is shown with. */
export interface RecoverySheet {
  readonly capabilities: Capabilities;
  /** Where the repository is. Anybody who finds the sheet reads it: no credentials in it. */
  readonly address: string;
  /** Date of the sheet, nanoseconds since 1970. */
  readonly createdNs: bigint;
}

const GROUPS_PER_LINE = 6;
/** Characters in a printed line. */
const LINE_WIDTH = 76;

/** Facts for the head of a sheet, each on a line of its own. */
export function sheetFacts(suite: CryptoSuite, sheet: RecoverySheet): readonly (readonly [string, string])[] {
  return [
    ['Repository', toHex(sheet.capabilities.repo)],
    ['Address', sheet.address.replace(/\p{Cc}/gu, '?')],
    ['Fingerprint', formatFingerprint(fingerprintOf(suite, sheet.capabilities))],
    ['Date', timeText(sheet.createdNs)],
    ['Program', 'Cairn, the command `cairn`; repository format 1'],
  ];
}

export const SHEET_WARNING =
  'Whoever has this key and can reach the store can read everything in it. Keep it secret, and away from the machine that ' +
  'is backed up: when every key is lost, nobody can read the backups.';

/** How to restore, one step each. */
export const SHEET_STEPS = [
  'Install Cairn on any Linux machine.',
  'Run `cairn key import` and give it this sheet as a file, or type the key. Compare the fingerprint that it shows.',
  'Run `cairn restore` with the address above.',
  'Should there be no Cairn any more: "Repository format" in its documentation says how to read everything with common tools.',
] as const;

/** The lines before the key: warning and facts. */
export function sheetHead(suite: CryptoSuite, sheet: RecoverySheet): string[] {
  const facts = sheetFacts(suite, sheet).map(([name, value]) => `${`${name}:`.padEnd(13)}${value}`);
  return [...wrap(SHEET_WARNING), '', ...facts];
}

/** The lines after the key: how to restore. */
export function sheetFoot(): string[] {
  return [
    'To restore:',
    ...SHEET_STEPS.flatMap((step) => wrap(step).map((line, i) => `${i === 0 ? '-' : ' '} ${line}`)),
  ];
}

/** Breaks a sentence at spaces into lines that fit on paper. */
export function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > LINE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/**
 * The recovery key as one text that needs nothing else: which repository, where, the key, how to restore.
 * `parseRecoveryKey` reads it whole. Rejects with `RIGHT_MISSING` without the root key.
 */
export function recoveryText(suite: CryptoSuite, sheet: RecoverySheet): string {
  const groups = encodeRecoveryKey(suite, sheet.capabilities).split('-');
  return [
    'CAIRN RECOVERY KEY',
    '',
    ...sheetHead(suite, sheet),
    '',
    RECOVERY_BEGIN,
    ...rows(groups).map((row) => row.join('-')),
    RECOVERY_END,
    '',
    'The same, group by group:',
    ...rows(groups.map((group, i) => `${String(i + 1).padStart(2)} ${group}`)).map((row) => `  ${row.join('   ')}`),
    '',
    ...sheetFoot(),
    '',
  ].join('\n');
}

function rows(groups: readonly string[]): string[][] {
  const lines: string[][] = [];
  for (let i = 0; i < groups.length; i += GROUPS_PER_LINE) lines.push(groups.slice(i, i + GROUPS_PER_LINE));
  return lines;
}
