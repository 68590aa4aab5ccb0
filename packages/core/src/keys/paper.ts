import type { Capabilities } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { CairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { RECOVERY_BYTES, readRecoveryPayload, recoveryPayload } from './recovery-payload.ts';
import { wipe } from './wipe.ts';

const LINE_BYTES = 6;
const CHECK_BYTES = 2;
const PAPER_LINES = Math.ceil(RECOVERY_BYTES / LINE_BYTES);

/** A number, a colon, the rest: no other line of a printed page looks so. */
const PAPER_LINE = /^\s*(\d{1,3})\s*:(.*)$/;

/** Letters that no hexadecimal number has, and the digits they are mistaken for. */
const LOOKALIKE: Readonly<Record<string, string>> = { o: '0', i: '1', l: '1' };

/** One line as typed: its number and bytes, or what is wrong with it. Undefined fields are those not known. */
export type PaperLine =
  { readonly number: number; readonly bytes: Buffer } | { readonly number: number; readonly problem: string };

/** The numbered lines of the paper form (format page, section 3). Rejects with `RIGHT_MISSING` without the root key. */
export function paperLines(suite: CryptoSuite, capabilities: Capabilities): string[] {
  const payload = recoveryPayload(suite, capabilities);
  const lines: string[] = [];
  for (let number = 1; number <= PAPER_LINES; number++) {
    const bytes = payload.subarray((number - 1) * LINE_BYTES, number * LINE_BYTES);
    const words = bytes.toString('hex').match(/.{1,4}/g) ?? [];
    const check = lineCheck(suite, number, bytes).toString('hex');
    lines.push(`${String(number).padStart(2)}: ${words.join(' ')} ${check}`);
  }
  wipe(payload);
  return lines;
}

/** Reads one typed line, so that a program can answer after each; undefined when it is not a numbered line at all. */
export function readPaperLine(suite: CryptoSuite, text: string): PaperLine | undefined {
  const [, digits, rest] = PAPER_LINE.exec(text) ?? [];
  if (digits === undefined || rest === undefined) return undefined;
  const number = Number(digits);
  if (number < 1 || number > PAPER_LINES) return { number, problem: 'there is no such line' };
  const hex = rest
    .replace(/\s/g, '')
    .toLowerCase()
    .replace(/[oil]/g, (letter) => LOOKALIKE[letter] ?? letter);
  const stranger = /[^0-9a-f]/u.exec(hex)?.[0];
  if (stranger !== undefined) return { number, problem: `it has ${JSON.stringify(stranger)}, not a digit or a to f` };
  const expected = Math.min(LINE_BYTES, RECOVERY_BYTES - (number - 1) * LINE_BYTES) + CHECK_BYTES;
  if (hex.length !== expected * 2) {
    const off = hex.length < expected * 2 ? 'short' : 'long';
    return { number, problem: `it is too ${off}, ${hex.length} digits and not ${expected * 2}` };
  }
  const whole = Buffer.from(hex, 'hex');
  const bytes = whole.subarray(0, expected - CHECK_BYTES);
  if (!whole.subarray(bytes.length).equals(lineCheck(suite, number, bytes))) {
    return { number, problem: 'its check does not fit, something in it is mistyped' };
  }
  return { number, bytes };
}

/**
 * Reads a typed paper form: its lines in any order, case and spacing; lines without a number and a colon do not count.
 * Rejects with `USAGE` when there is no numbered line, and with `CORRUPT` naming every line that is wrong, missing or
 * there twice (also in `details.lines`, as `3,5`).
 */
export function parsePaper(suite: CryptoSuite, text: string): Capabilities {
  const typed = text
    .split(/\r\n|\r|\n/)
    .map((line) => readPaperLine(suite, line))
    .filter((line) => line !== undefined);
  if (typed.length === 0) {
    throw new CairnError('USAGE', 'this text holds no paper key: there is no numbered line in it', {
      hint: `Type the ${PAPER_LINES} lines with their numbers, as in \`1: 0123 4567 89ab cdef\`.`,
    });
  }
  const payload = Buffer.alloc(RECOVERY_BYTES);
  const problems = new Map<number, string>();
  for (const line of typed) {
    if ('problem' in line) problems.set(line.number, line.problem);
    else payload.set(line.bytes, (line.number - 1) * LINE_BYTES);
  }
  for (let number = 1; number <= PAPER_LINES; number++) {
    const times = typed.filter((line) => line.number === number).length;
    if (times === 0) problems.set(number, 'it is missing');
    if (times > 1) problems.set(number, 'it is there more than once');
  }
  for (const line of typed) if ('bytes' in line) wipe(line.bytes);
  if (problems.size > 0) {
    wipe(payload);
    throw wrongLines(problems);
  }
  return readRecoveryPayload(suite, payload);
}

function lineCheck(suite: CryptoSuite, number: number, bytes: Uint8Array): Buffer {
  return Buffer.from(suite.sha256(label('paper line'), Uint8Array.of(number), bytes).subarray(0, CHECK_BYTES));
}

function wrongLines(problems: ReadonlyMap<number, string>): CairnError {
  const sorted = [...problems].sort(([a], [b]) => a - b);
  const told = sorted.map(([number, problem]) => `line ${number}: ${problem}`).join('; ');
  return new CairnError('CORRUPT', `the paper key does not read: ${told}`, {
    hint: 'Compare these lines with the paper and type them again.',
    details: { lines: sorted.map(([number]) => number).join(',') },
  });
}
