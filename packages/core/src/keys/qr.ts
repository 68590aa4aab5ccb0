import type { QrOpts } from 'qr';

/** ISO/IEC 18004: level Q restores a quarter of the symbol; a margin of 4 modules is asked for. */
const OPTIONS: QrOpts = { ecc: 'quartile', border: 4 };

const INVERSE = '\u001b[30;107m';
const RESET = '\u001b[0m';

/** A QR code as an inline SVG element, black on transparent. */
export async function qrSvg(text: string): Promise<string> {
  const { encodeQR } = await import('qr');
  return encodeQR(text, 'svg', OPTIONS);
}

/**
 * A QR code as lines of half blocks. With `colour` each line sets black on white, right on every terminal; without it the
 * ink is dark modules, right on paper and on a light terminal.
 */
export async function qrTerminal(text: string, colour: boolean): Promise<string> {
  const { encodeQR } = await import('qr');
  const modules = encodeQR(text, 'raw', OPTIONS);
  let lines = '';
  for (let y = 0; y < modules.length; y += 2) {
    const upper = modules[y] ?? [];
    const lower = modules[y + 1] ?? [];
    const line = upper.map((dark, x) => halfBlock(dark, lower[x] === true)).join('');
    lines += colour ? `${INVERSE}${line}${RESET}\n` : `${line}\n`;
  }
  return lines;
}

function halfBlock(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀';
  return lower ? '▄' : ' ';
}
