/** RFC 4648 section 6, without padding. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const VALUE = new Map([...ALPHABET].map((character, value) => [character, value]));

/** Digits that the alphabet lacks, and the letters they are mistaken for. */
const LOOKALIKE: Readonly<Record<string, string>> = { '0': 'O', '1': 'I', '8': 'B' };

/** White space and every kind of dash: word processors turn a hyphen into others. */
const SEPARATORS = /[\s\p{Pd}]/gu;

/** The bytes in base32; unused bits of the last character are 0. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 5) {
      held -= 5;
      text += ALPHABET.charAt((bits >> held) & 31);
    }
    bits &= (1 << held) - 1;
  }
  return held === 0 ? text : text + ALPHABET.charAt((bits << (5 - held)) & 31);
}

/** Undoes `encodeBase32`; undefined for any text that it does not write, so one value has one spelling. */
export function decodeBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8));
  let at = 0;
  let bits = 0;
  let held = 0;
  for (const character of text) {
    const value = VALUE.get(character);
    if (value === undefined) return undefined;
    bits = (bits << 5) | value;
    held += 5;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  return held < 5 && bits === 0 ? bytes : undefined;
}

/** What a person typed, as the alphabet has it: separators gone, capitals, `0 1 8` read as `O I B`. */
export function normaliseBase32(text: string): string {
  return text
    .replace(SEPARATORS, '')
    .toUpperCase()
    .replace(/[018]/g, (digit) => LOOKALIKE[digit] ?? digit);
}

/** The first character that is not of the alphabet, or undefined. */
export function strangerIn(normalised: string): string | undefined {
  return [...normalised].find((character) => !VALUE.has(character));
}

/** `text` in groups of `size` characters joined by `-`. */
export function inGroups(text: string, size: number): string {
  return (text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).join('-');
}
