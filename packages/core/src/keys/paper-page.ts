import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { paperLines } from './paper.ts';
import { qrSvg, qrTerminal } from './qr.ts';
import { encodeRecoveryKey } from './recovery.ts';
import {
  type RecoverySheet,
  SHEET_STEPS,
  SHEET_WARNING,
  sheetFacts,
  sheetFoot,
  sheetHead,
  wrap,
} from './recovery-text.ts';

const TITLE = 'Cairn recovery key, paper form';
const TYPING =
  'Type the numbered lines into `cairn key import`; each carries its own check, so a mistake is named by its line.';

/** The printed page as plain text, with the QR code in half blocks. `parsePaper` reads it whole. */
export async function paperText(suite: CryptoSuite, sheet: RecoverySheet): Promise<string> {
  return [
    TITLE.toUpperCase(),
    '',
    ...sheetHead(suite, sheet),
    '',
    ...paperLines(suite, sheet.capabilities),
    '',
    ...wrap(TYPING),
    '',
    ...sheetFoot(),
    '',
    await qrTerminal(encodeRecoveryKey(suite, sheet.capabilities), false),
  ].join('\n');
}

/** The printed page as one HTML document that loads nothing, with the QR code of the recovery key. */
export async function paperHtml(suite: CryptoSuite, sheet: RecoverySheet): Promise<string> {
  const facts = sheetFacts(suite, sheet).map(([name, value]) => `<dt>${name}</dt><dd>${escape(value)}</dd>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${TITLE}</title>
<style>
  body { font: 11pt/1.4 sans-serif; color: #000; background: #fff; max-width: 17cm; margin: 1.5cm auto; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1em; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre, dd { font-family: monospace; }
  pre { font-size: 14pt; }
  svg { width: 7cm; height: 7cm; }
</style>
<h1>${TITLE}</h1>
<p>${SHEET_WARNING}</p>
<dl>${facts.join('')}</dl>
<pre>${paperLines(suite, sheet.capabilities).join('\n')}</pre>
<p>${escape(TYPING)}</p>
<ol>${SHEET_STEPS.map((step) => `<li>${escape(step)}</li>`).join('')}</ol>
${await qrSvg(encodeRecoveryKey(suite, sheet.capabilities))}
</html>
`;
}

const ENTITY: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITY[character] ?? character);
}
