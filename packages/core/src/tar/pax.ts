import { tarError } from './tar-error.ts';

/** One record of an extended header: keyword (a byte string) and value. */
export type PaxRecord = readonly [keyword: string, value: Buffer];

/** `LENGTH KEYWORD=VALUE\n` for each, where LENGTH counts itself (POSIX.1-2017, "pax Extended Header"). */
export function encodePaxRecords(records: readonly PaxRecord[]): Buffer {
  return Buffer.concat(
    records.map(([keyword, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${keyword}=`, 'latin1'), value, Buffer.from('\n')]);
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

/** Rejects with `TAR_INVALID`. @param offset where in the stream the bytes begin. */
export function decodePaxRecords(bytes: Buffer, offset: number): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 || space - at > 10 ? '' : bytes.toString('latin1', at, space);
    const end = at + (/^[1-9]\d*$/.test(digits) ? Number(digits) : 0);
    const equals = bytes.indexOf(0x3d, space + 1);
    if (
      space === -1 ||
      end <= space ||
      end > bytes.length ||
      equals === -1 ||
      equals >= end ||
      bytes[end - 1] !== 0x0a
    ) {
      throw tarError(offset + at, 'an extended header does not parse');
    }
    records.push([bytes.toString('latin1', space + 1, equals), bytes.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** Nanoseconds as a decimal number of seconds. */
export function encodePaxTime(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${ns < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Undefined when it is no such number. Digits beyond nanoseconds are cut, towards earlier times. */
export function decodePaxTime(text: string): bigint | undefined {
  const parts = /^(-?)(\d{1,19})(?:\.(\d*))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, seconds = '', fraction = ''] = parts;
  const size = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  const cut = sign === '-' && /[1-9]/.test(fraction.slice(9));
  return sign === '-' ? -size - (cut ? 1n : 0n) : size;
}
