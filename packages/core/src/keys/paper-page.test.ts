import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeQR } from 'qr/decode.js';
import { describe, expect, it } from 'vitest';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { SAMPLE_KEYS, SAMPLE_TIME_NS } from '../testing/sample-keys.ts';
import { paperHtml, paperText } from './paper-page.ts';
import { parsePaper } from './paper.ts';
import { qrTerminal } from './qr.ts';
import { encodeRecoveryKey, parseRecoveryKey } from './recovery.ts';

const SHEET = { capabilities: SAMPLE_KEYS, address: `ssh://h/<b>&"'`, createdNs: SAMPLE_TIME_NS };
const KEY = encodeRecoveryKey(suite, SAMPLE_KEYS);
const PIXELS = 4;

/** Dark modules, row by row. */
type Bitmap = readonly (readonly boolean[])[];

function ofHalfBlocks(text: string): Bitmap {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => [
      [...line].map((block) => block === '█' || block === '▀'),
      [...line].map((block) => block === '█' || block === '▄'),
    ]);
}

/** Draws the one path of unit squares that the SVG consists of. */
function ofSvg(svg: string): Bitmap {
  const size = Number(/viewBox="0 0 (\d+) /.exec(svg)?.[1]);
  const bitmap = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  let x = 0;
  let y = 0;
  for (const [, command, a, b] of svg.matchAll(/([Mm])(-?\d+)[ ,]?(-?\d+)h1v1(?:H\d+|h-1)Z/g)) {
    x = Number(a) + (command === 'm' ? x : 0);
    y = Number(b) + (command === 'm' ? y : 0);
    const row = bitmap[y];
    if (row !== undefined) row[x] = true;
  }
  return bitmap;
}

/** Grey pixels, several for each module. */
function pixels(bitmap: Bitmap): { readonly width: number; readonly height: number; readonly grey: Buffer } {
  const width = (bitmap[0]?.length ?? 0) * PIXELS;
  const rows = bitmap.map((row) =>
    Buffer.from(row.flatMap((dark) => Array.from({ length: PIXELS }, () => (dark ? 0 : 255)))),
  );
  const grey = Buffer.concat(rows.flatMap((row) => Array.from({ length: PIXELS }, () => row)));
  return { width, height: bitmap.length * PIXELS, grey };
}

function scan(bitmap: Bitmap): string {
  const { width, height, grey } = pixels(bitmap);
  const data = new Uint8Array(width * height * 4);
  grey.forEach((value, i) => data.set([value, value, value, 255], i * 4));
  return decodeQR({ width, height, data }, { timeLimit: 10_000 });
}

const hasZbar = spawnSync('zbarimg', ['--version']).status === 0;

/** Reads with an independent program. */
function scanWithZbar(bitmap: Bitmap): string {
  const { width, height, grey } = pixels(bitmap);
  const directory = mkdtempSync(join(tmpdir(), 'cairn-qr-'));
  try {
    const path = join(directory, 'code.pgm');
    writeFileSync(path, Buffer.concat([Buffer.from(`P5 ${width} ${height} 255\n`), grey]));
    return execFileSync('zbarimg', ['--quiet', '--raw', path], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trimEnd();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('QR code', () => {
  it('is the recovery key, in half blocks', async () => {
    const bitmap = ofHalfBlocks(await qrTerminal(KEY, false));
    expect(scan(bitmap)).toBe(KEY);
    expect(parseRecoveryKey(suite, scan(bitmap))).toEqual(parseRecoveryKey(suite, KEY));
  });

  it('sets its colours on a terminal', async () => {
    const coloured = await qrTerminal(KEY, true);
    const blackOnWhite = '\u001b[30;107m';
    const reset = '\u001b[0m';
    const plain = (await qrTerminal(KEY, false)).split('\n');
    expect(coloured.split('\n')).toEqual(plain.map((line) => (line === '' ? '' : blackOnWhite + line + reset)));
  });

  it.runIf(hasZbar)('is read by another program', async () => {
    expect(scanWithZbar(ofHalfBlocks(await qrTerminal(KEY, false)))).toBe(KEY);
    expect(scanWithZbar(ofSvg(await paperHtml(suite, SHEET)))).toBe(KEY);
  });
});

describe('printed page', () => {
  it('is read whole as text, lines and code', async () => {
    const page = await paperText(suite, SHEET);
    expect(parsePaper(suite, page)).toEqual(parseRecoveryKey(suite, KEY));
    expect(scan(ofHalfBlocks(page.slice(page.search(/^ +$/m))))).toBe(KEY);
    for (const part of ['BN5A-PSV4-6ZYN-MLIN', 'cairn key import', 'cairn restore']) expect(page).toContain(part);
    for (const line of page.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('is an HTML page that loads nothing and takes nothing literally', async () => {
    const page = await paperHtml(suite, SHEET);
    expect(scan(ofSvg(page))).toBe(KEY);
    expect(page).toContain('ssh://h/&lt;b&gt;&amp;&quot;&#39;');
    expect(page).not.toContain('<b>');
    expect(page).not.toMatch(/<script|<img|<link|src=|href=|url\(|@import/);
    expect(page).toContain("default-src 'none'");
    expect(parsePaper(suite, page.replaceAll(/<[^>]*>/g, '\n'))).toEqual(parseRecoveryKey(suite, KEY));
  });
});
