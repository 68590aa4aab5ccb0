import { isoWeek, type LocalTime } from './local-time.ts';
import type { CountRule } from './policy.ts';

const two = (number: number): string => String(number).padStart(2, '0');

/** Months in a quarter of the year, and weeks in a quarter of the ISO year; the fourth has week 53 too when there is one. */
const QUARTER_MONTHS = 3;
const QUARTER_WEEKS = 13;

/**
 * The period of a rule that a moment falls into, as text: the same for two moments of one period, and never for others. By
 * the wall, so that the hour which comes twice in autumn is one hour, as for Borg, restic and Proxmox.
 */
export function periodOf(rule: Exclude<CountRule, 'last'>, at: LocalTime): string {
  const day = `${at.year}-${two(at.month)}-${two(at.day)}`;
  switch (rule) {
    case 'secondly':
      return `${day} ${two(at.hour)}:${two(at.minute)}:${two(at.second)}`;
    case 'minutely':
      return `${day} ${two(at.hour)}:${two(at.minute)}`;
    case 'hourly':
      return `${day} ${two(at.hour)}`;
    case 'daily':
      return day;
    case 'weekly': {
      const { year, week } = isoWeek(at);
      return `${year}-W${two(week)}`;
    }
    case 'monthly':
      return `${at.year}-${two(at.month)}`;
    case '13weekly': {
      const { year, week } = isoWeek(at);
      return `${year}-Q${Math.min(4, Math.ceil(week / QUARTER_WEEKS))}`;
    }
    case '3monthly':
      return `${at.year}-Q${Math.ceil(at.month / QUARTER_MONTHS)}`;
    case 'yearly':
      return String(at.year);
  }
}
