/** The days of the week as systemd.time(7) names them; crontab(5) counts 0 and 7 as Sunday. */
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] as const;

const WORDS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * The `OnCalendar=` values that fire when a pattern of crontab(5) does; undefined for one that a timer cannot say, as `L` and `W`,
 * which only the daemon knows. As in crontab, a day of the month and a day of the week that are both given mean either: two values.
 */
export function calendarsOf(pattern: string, timeZone: string | undefined): readonly string[] | undefined {
  const text = pattern.trim().toLowerCase();
  const [minute, hour, day, month, weekday] = (WORDS[text] ?? pattern.trim().toUpperCase()).split(/\s+/);
  const minutes = field(minute, 0, 59);
  const hours = field(hour, 0, 23);
  const days = field(day, 1, 31);
  const months = field(month, 1, 12, MONTHS, 1);
  const weekdays = field(
    weekday,
    0,
    7,
    DAYS.map((name) => name.toUpperCase()),
  );
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  const time = `${twoDigits(hours)}:${twoDigits(minutes)}:00`;
  const zone = timeZone === undefined ? '' : ` ${timeZone}`;
  const dates = `*-${twoDigits(months)}-${twoDigits(days)} ${time}${zone}`;
  if (weekdays === '*') return [dates];
  const names = [...new Set(weekdays.map((number) => DAYS[number % DAYS.length]))].join(',');
  const onWeekdays = `${names} *-${twoDigits(months)}-* ${time}${zone}`;
  return days === '*' ? [onWeekdays] : [dates, onWeekdays];
}

type Values = '*' | readonly number[];

function twoDigits(values: Values): string {
  return values === '*' ? '*' : values.map((value) => String(value).padStart(2, '0')).join(',');
}

/** The values of one field, each listed; undefined when it has what no timer can say. */
function field(
  text: string | undefined,
  least: number,
  most: number,
  names: readonly string[] = [],
  firstName = 0,
): Values | undefined {
  if (text === undefined) return undefined;
  if (text === '*' || text === '?') return '*';
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [, range = '', step = '1'] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    const hasStep = part.includes('/');
    const [from, to] = boundsOf(range, least, most, names, firstName, hasStep);
    if (from === undefined || to === undefined || Number(step) < 1 || from > to) return undefined;
    for (let value = from; value <= to; value += Number(step)) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

function boundsOf(
  range: string,
  least: number,
  most: number,
  names: readonly string[],
  firstName: number,
  hasStep: boolean,
): readonly [number | undefined, number | undefined] {
  if (range === '*') return [least, most];
  const valueOf = (text: string): number | undefined => {
    const named = names.indexOf(text);
    const value = named >= 0 ? named + firstName : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
  const [from = '', to] = range.split('-');
  return [valueOf(from), to === undefined ? (hasStep ? most : valueOf(from)) : valueOf(to)];
}
