import type { RuleSource } from './pattern.ts';
import { textOfBytes } from './path-text.ts';

const BYTE_ORDER_MARK = '\ufeff';
const LEADING_BLANKS = /^[ \t]+/;
const TRAILING_BLANKS = /[ \t]+$/;

/**
 * The rules of an exclude file: one pattern per line; empty lines and lines that begin with `#` say nothing. Blanks
 * around a pattern do not count unless a `\` stands before them, and `\#` and `\!` begin a name with that character
 * (`parsePattern` reads these escapes). Lines end with LF or CR LF.
 * @param content the bytes of the file, so that names which are no UTF-8 can be written in it.
 * @param file its name, for messages.
 */
export function parseExcludeFile(content: Uint8Array, file: string): RuleSource[] {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('latin1');
  const text = textOfBytes(bytes);
  const lines = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split(/\r?\n/);
  const rules: RuleSource[] = [];
  for (const [i, line] of lines.entries()) {
    const pattern = trimmed(line);
    if (pattern !== '' && !pattern.startsWith('#')) rules.push({ pattern, origin: `file ${file} line ${i + 1}` });
  }
  return rules;
}

function trimmed(line: string): string {
  const start = line.replace(LEADING_BLANKS, '');
  const blanks = TRAILING_BLANKS.exec(start);
  if (blanks === null) return start;
  const kept = start.slice(0, blanks.index);
  const backslashes = /\\*$/.exec(kept)?.[0].length ?? 0;
  return backslashes % 2 === 1 ? kept + blanks[0].charAt(0) : kept;
}
