import { describe, expect, it } from 'vitest';
import { deriveCapabilities, restrict } from '../crypto/capabilities.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { isCairnError, type CairnError, type ErrorCode } from '../errors.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_REPO, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { paperLines, parsePaper, readPaperLine } from './paper.ts';

/** Made once by an implementation in another language; the same key as in `recovery.test.ts`. */
const LINES = [
  ' 1: 0100 1122 3344 006d',
  ' 2: 5566 7788 99aa a510',
  ' 3: bbcc ddee ffa0 6911',
  ' 4: a1a2 a3a4 a5a6 c100',
  ' 5: a7a8 a9aa abac d40b',
  ' 6: adae afb0 b1b2 e45b',
  ' 7: b3b4 b5b6 b7b8 1db2',
  ' 8: b9ba bbbc bdbe c45f',
  ' 9: bf0b f2b2 10 e972',
];
const RIGHT = parsePaper(suite, LINES.join('\n'));

function refusal(text: string): CairnError {
  try {
    parsePaper(suite, text);
  } catch (error) {
    if (isCairnError(error)) return error;
    throw error;
  }
  throw new Error(`taken: ${text}`);
}

function wrongLines(text: string): unknown {
  return refusal(text).details?.['lines'];
}

describe('paper form', () => {
  it('is the known answer', () => {
    expect(paperLines(suite, SAMPLE_KEYS)).toEqual(LINES);
    expect(Buffer.from(RIGHT.root ?? [])).toEqual(SAMPLE_KEYS.root);
    expect(Buffer.from(RIGHT.repo)).toEqual(SAMPLE_KEYS.repo);
  });

  it('needs the root key', () => {
    expect(() => paperLines(suite, restrict(SAMPLE_KEYS, 'read'))).toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'RIGHT_MISSING' satisfies ErrorCode)),
    );
  });

  it('is read in any case, spacing and order, with other lines around', () => {
    for (const typed of [
      LINES.join('\r\n').toUpperCase(),
      LINES.map((line) => line.replaceAll(' ', '')).join('\n'),
      LINES.map((line) => line.replace(':', ' :\t ')).join('\n\n'),
      LINES.toReversed().join('\n'),
      ['Repository: 0011', 'some words', ...LINES, '- a step'].join('\n'),
      LINES.join('\n')
        .replaceAll(/(?<=: .*)0/g, 'O')
        .replaceAll(/(?<=: .*)1/g, 'l'),
    ]) {
      expect(parsePaper(suite, typed)).toEqual(RIGHT);
    }
  });

  it('names the very line for every digit that is mistyped', () => {
    LINES.forEach((line, index) => {
      for (let at = line.indexOf(':') + 1; at < line.length; at++) {
        if (line[at] === ' ') continue;
        for (const wrong of '0123456789abcdefz%') {
          if (wrong === line[at]) continue;
          const typed = LINES.with(index, line.slice(0, at) + wrong + line.slice(at + 1)).join('\n');
          expect(wrongLines(typed), typed).toBe(String(index + 1));
        }
      }
    });
  });

  it('names the very line for digits lost, doubled or exchanged', () => {
    LINES.forEach((line, index) => {
      const named = (typed: string): void =>
        expect(wrongLines(LINES.with(index, typed).join('\n'))).toBe(`${index + 1}`);
      for (let at = line.indexOf(':') + 2; at < line.length; at++) {
        const [a, b] = [line[at], line[at + 1]];
        if (a === ' ') continue;
        named(line.slice(0, at) + line.slice(at + 1));
        named(line.slice(0, at) + line.slice(at, at + 1) + line.slice(at));
        if (b !== undefined && b !== ' ' && a !== b) named(`${line.slice(0, at)}${b}${a}${line.slice(at + 2)}`);
      }
      named(line.slice(0, line.indexOf(':') + 1));
    });
  });

  it('says which lines are missing, there twice, of another number, or none of it', () => {
    const cases: [readonly string[], string, RegExp][] = [
      [LINES.toSpliced(3, 1), '4', /line 4: it is missing/],
      [LINES.slice(0, 2), '3,4,5,6,7,8,9', /line 9: it is missing/],
      [[...LINES, LINES[4] ?? ''], '5', /line 5: it is there more than once/],
      [LINES.with(2, ' 5: bbcc ddee ffa0 6911'), '3,5', /line 3: it is missing; line 5: it is there more/],
      [LINES.with(2, '12: bbcc ddee ffa0 6911'), '3,12', /line 12: there is no such line/],
      [[...LINES, ' 0: bbcc ddee ffa0 6911'], '0', /line 0: there is no such line/],
      [LINES.with(1, ' 3: bbcc ddee ffa0 6911').with(2, ' 2: 5566 7788 99aa a510'), '', /^$/],
      [LINES.with(0, ' 1: 0100 1122 3344'), '1', /line 1: it is too short, 12 digits and not 16/],
      [LINES.with(8, ' 9: bf0b f2b2 10 e972 00'), '9', /line 9: it is too long/],
      [LINES.with(1, ' 2: 5566 7788 99ag a510'), '2', /line 2: it has "g"/],
      [LINES.with(1, ' 2: 6655 7788 99aa a510').with(6, ' 7: '), '2,7', /line 2: its check.*; line 7: it is too short/],
    ];
    for (const [lines, named, message] of cases) {
      if (named === '') {
        expect(parsePaper(suite, lines.join('\n'))).toEqual(RIGHT);
        continue;
      }
      const error = refusal(lines.join('\n'));
      expect(error.code).toBe('CORRUPT');
      expect(error.message).toMatch(message);
      expect(error.details).toEqual({ lines: named });
    }
    expect(refusal('').code).toBe('USAGE');
    expect(refusal('bbcc ddee').code).toBe('USAGE');
  });

  it('does not mix the lines of two keys', () => {
    const other = deriveCapabilities(suite, seededRandom('other').bytes(32), SAMPLE_REPO);
    const mixed = paperLines(suite, other).with(4, LINES[4] ?? '');
    expect(refusal(mixed.join('\n')).message).toMatch(/its check does not fit, something is mistyped/);
  });

  it('takes no wrong key from a form changed at any byte', () => {
    const cheap = cheapSuite();
    for (const { what, bytes } of mutationsOf(Buffer.from(LINES.join('\n')))) {
      try {
        expect(parsePaper(cheap, bytes.toString()), what).toEqual(RIGHT);
      } catch (error) {
        if (!isCairnError(error)) throw error;
        expect(['CORRUPT', 'USAGE'], what).toContain(error.code);
      }
    }
  });

  it('answers line by line', () => {
    expect(readPaperLine(suite, LINES[8] ?? '')).toEqual({ number: 9, bytes: Buffer.from('bf0bf2b210', 'hex') });
    expect(readPaperLine(suite, '9: bf0b f2b2 11 e972')).toEqual({
      number: 9,
      problem: expect.stringMatching(/check/),
    });
    expect(readPaperLine(suite, 'bf0b f2b2 10 e972')).toBeUndefined();
  });
});
