import { CairnError, importKey, isCairnError, nodeSuite, readAll, readAllOf, readPaperLine } from '@cairn/core';

import { Terminal } from './terminal.ts';

/** Bytes that a key can have as text; more is some other file. */
const MOST_BYTES = 256 * 1024;
const STDIN = 0;

/** The text with a key: of a file, of standard input, or typed line by line. Rejects with `USAGE` when it cannot be read. */
export async function readKeyText(file: string | undefined, signal: AbortSignal): Promise<string> {
  if (file !== undefined && file !== '-') {
    return toText(await readAllOf(file, { name: file, most: MOST_BYTES, signal }));
  }
  if (process.stdin.isTTY !== true) {
    return toText(await readAll(STDIN, { name: 'standard input', most: MOST_BYTES, signal }));
  }
  const terminal = Terminal.open();
  if (terminal === undefined) {
    throw new CairnError('USAGE', 'there is no terminal to type the key at', { hint: 'Give it as a file.' });
  }
  try {
    return await typed(terminal);
  } finally {
    terminal.close();
  }
}

function toText(bytes: Buffer): string {
  const text = bytes.toString();
  bytes.fill(0);
  return text;
}

/** Lines as they are typed, until they make a key or an empty one ends them. A wrong line of paper is answered at once. */
async function typed(terminal: Terminal): Promise<string> {
  terminal.say('Type or paste the key: its groups, its numbered lines or the whole text. An empty line ends it.');
  const lines: string[] = [];
  for (;;) {
    const line = await terminal.ask('> ');
    if (line.trim() === '' && !lines.some((one) => one.includes('-----BEGIN')) && lines.length > 0) break;
    const paper = readPaperLine(nodeSuite, line);
    if (paper !== undefined && 'problem' in paper) {
      terminal.say(`line ${paper.number}: ${paper.problem}; type it again`);
      continue;
    }
    lines.push(line);
    if (isKey(lines.join('\n'))) break;
  }
  return lines.join('\n');
}

function isKey(text: string): boolean {
  try {
    importKey(nodeSuite, text);
    return true;
  } catch (error) {
    if (isCairnError(error)) return false;
    throw error;
  }
}
