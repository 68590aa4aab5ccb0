/** Sizes and stretches of time as people write and read them. */
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A number of bytes with three digits or so: `0 B`, `1.50 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1024;
  if (unit === 0) return `${bytes} B`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

const SIZE = /^(\d+(?:\.\d+)?) ?([KMGTP]?)(?:i?B)?$/i;

/** The bytes of a size such as `1500`, `100M` or `1.5 GiB`, in powers of 1024; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const [, digits, prefix] = SIZE.exec(text.trim()) ?? [];
  if (digits === undefined || prefix === undefined) return undefined;
  const power = prefix === '' ? 0 : 'KMGTP'.indexOf(prefix.toUpperCase()) + 1;
  const size = Math.floor(Number(digits) * 1024 ** power);
  return Number.isSafeInteger(size) ? size : undefined;
}

const DURATION = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d)?$/;
const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The milliseconds of a duration such as `90`, `30s`, `10m`, `2h` or `7d`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = 's'] = DURATION.exec(text.trim()) ?? [];
  const ms = Math.floor(Number(digits) * (DURATION_MS[unit] ?? Number.NaN));
  return digits !== undefined && Number.isSafeInteger(ms) ? ms : undefined;
}

/** A duration: `0.3 s`, `42 s`, `3 min 20 s`, `2 h 05 min`. */
export function formatDuration(ms: number): string {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
