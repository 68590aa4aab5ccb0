const BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  K: 1e3,
  KB: 1e3,
  M: 1e6,
  MB: 1e6,
  G: 1e9,
  GB: 1e9,
  T: 1e12,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

const MS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

/** Bytes of `500 GB`, `2 TiB` or `1000`; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = BYTES[unit.toUpperCase()];
  return number === undefined || factor === undefined ? undefined : whole(Number(number) * factor);
}

/** Milliseconds of `7d`, `12h`, `90 min`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([a-z]+)$/.exec(text.trim()) ?? [];
  const factor = MS[unit];
  return number === undefined || factor === undefined ? undefined : whole(Number(number) * factor);
}

function whole(value: number): number | undefined {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** `1.5 GB`. */
export function showBytes(bytes: number): string {
  for (const [unit, factor] of [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= factor) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** `2026-11-21T08:15:02Z`. */
export function showTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `7 d`, `3.5 h`. */
export function showDuration(ms: number): string {
  for (const [unit, factor] of [
    ['d', 864e5],
    ['h', 36e5],
    ['min', 6e4],
  ] as const) {
    if (ms >= factor) return `${Number((ms / factor).toFixed(1))} ${unit}`;
  }
  return `${Math.round(ms / 1000)} s`;
}
