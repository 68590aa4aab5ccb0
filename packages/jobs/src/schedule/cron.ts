import { Cron } from 'croner';

/** Five fields, or a word for them. Seconds and years, which croner knows too, no crontab and no timer has. */
const SHAPE = /^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+( \S+){4})$/;

/** When a schedule fires next, and when it fired last. Milliseconds since 1970. */
export class CronSchedule {
  private readonly cron: Cron;

  /**
   * @param pattern five fields of crontab(5), or `@daily` and the like.
   * @param timeZone a name of the IANA database. On the day on which clocks go forward, what falls into the hour that is left out
   * runs right after it; on the day on which they go back, what falls into the hour that comes twice runs once.
   * Throws a TypeError, a RangeError or an Error for what cannot be.
   */
  constructor(pattern: string, timeZone: string) {
    const text = pattern.trim().replace(/\s+/g, ' ');
    if (!SHAPE.test(text)) throw new TypeError('expected five fields, or a word such as @daily');
    this.cron = new Cron(text === '@midnight' ? '@daily' : text, { timezone: timeZone, paused: true });
  }

  /** The first time after `ms`; undefined when there is none. */
  next(ms: number): number | undefined {
    return this.cron.nextRun(new Date(ms))?.getTime();
  }

  /** The last time at or before `ms` and after `sinceMs`; undefined when there is none. */
  last(sinceMs: number, ms: number): number | undefined {
    const [last] = this.cron.previousRuns(1, new Date(ms + 1));
    return last !== undefined && last.getTime() > sinceMs && last.getTime() <= ms ? last.getTime() : undefined;
  }

  /** How often it fires after `sinceMs` and up to `ms`; counts no further than `most`. */
  count(sinceMs: number, ms: number, most: number): number {
    let times = 0;
    for (let at = this.next(sinceMs); at !== undefined && at <= ms && times < most; at = this.next(at)) times += 1;
    return times;
  }
}

/** What is wrong with a pattern or a time zone; undefined when nothing is. */
export function cronProblem(pattern: string, timeZone = 'UTC'): string | undefined {
  try {
    const schedule = new CronSchedule(pattern, timeZone);
    return schedule.next(0) === undefined ? 'never comes' : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** True for a name that this machine knows as a time zone. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
