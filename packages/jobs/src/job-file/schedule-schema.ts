import { z } from 'zod';

import { cronProblem, isTimeZone } from '../schedule/cron.ts';
import { duration, text } from './values.ts';

const cron = text.check((context) => {
  const problem = cronProblem(context.value);
  if (problem !== undefined) context.issues.push({ code: 'custom', message: problem, input: context.value });
});
export const timeZone = text.refine(isTimeZone, 'is no time zone that this machine knows');

export const scheduleSchema = z
  .strictObject({
    cron: cron
      .optional()
      .describe('When to run: five fields of crontab(5), as in `30 2 * * *`, or `@daily` and the like.'),
    'time-zone': timeZone
      .optional()
      .describe('Time zone of `cron` and of hours in [limits], as in `Europe/Madrid`. Default: that of the machine.'),
    'catch-up': z.boolean().optional().describe('Run once as soon as possible when runs were missed. Default: true.'),
    'on-change': z
      .strictObject({
        debounce: duration.optional().describe('Run when nothing has changed for so long. Default: `1m`.'),
        ceiling: duration
          .optional()
          .describe('Run so long after the first change even if changes go on. Default: `2h`.'),
      })
      .optional()
      .describe('Run after a source was changed. Needs `cairn job daemon`.'),
  })
  .refine(
    (schedule) => schedule.cron !== undefined || schedule['on-change'] !== undefined,
    'expected `cron` or [schedule.on-change]',
  )
  .describe('When the job runs by itself.');

export type ScheduleDefinition = z.output<typeof scheduleSchema>;
