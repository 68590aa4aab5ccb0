import { CairnError } from '../errors.ts';

const DAY_MS = 86_400_000;

/** A moment as clocks and calendars on the wall show it. */
export interface LocalTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Week 1 is the one with the year's first Thursday; weeks begin on Monday (ISO 8601). */
export interface IsoWeek {
  readonly year: number;
  /** 1 to 53. */
  readonly week: number;
}

/** Tells local times in one time zone. */
export class TimeZone {
  /** As in the IANA database: `Europe/Amsterdam`, `UTC`. */
  readonly name: string;
  private readonly format: Intl.DateTimeFormat;

  /** Rejects with `USAGE` when there is no such time zone. */
  constructor(name: string) {
    try {
      this.format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (error) {
      throw new CairnError('USAGE', `there is no time zone ${JSON.stringify(name)}`, {
        hint: 'Name one of the IANA database, as in Europe/Amsterdam or UTC.',
        cause: error,
      });
    }
    this.name = name;
  }

  /** @param ms milliseconds since 1970, UTC. */
  local(ms: number): LocalTime {
    const local = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
    for (const { type, value } of this.format.formatToParts(ms)) {
      if (type in local) local[type as keyof LocalTime] = Number(value);
    }
    return local;
  }

  /** The moment as `2026-11-21 09:15:02`. */
  text(ms: number): string {
    const { year, month, day, hour, minute, second } = this.local(ms);
    const two = (number: number): string => String(number).padStart(2, '0');
    return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
  }

  /**
   * When the wall shows that time. Of two such moments it is one of them, and in the hour that is left out in spring it is as
   * if it was not: chosen as Go's `time.Date` chooses, because restic does. Months beyond 1 to 12 and days beyond the month's
   * count on.
   */
  moment({ year, month, day, hour, minute, second }: LocalTime): number {
    const wall = Date.UTC(year, month - 1, day, hour, minute, second);
    const offset = this.offset(wall);
    const offsetThen = this.offset(wall - offset);
    return wall - offsetThen;
  }

  /** Milliseconds that the wall is ahead of UTC. */
  private offset(ms: number): number {
    const { year, month, day, hour, minute, second } = this.local(ms);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  }
}

/** The ISO week of a local day. */
export function isoWeek({ year, month, day }: Pick<LocalTime, 'year' | 'month' | 'day'>): IsoWeek {
  const days = Date.UTC(year, month - 1, day) / DAY_MS;
  // 1970-01-01 was a Thursday, so that day 4 was a Monday.
  const sinceMonday = (((days - 4) % 7) + 7) % 7;
  const thursday = days - sinceMonday + 3;
  const weekYear = new Date(thursday * DAY_MS).getUTCFullYear();
  return { year: weekYear, week: Math.floor((thursday - Date.UTC(weekYear, 0, 1) / DAY_MS) / 7) + 1 };
}
