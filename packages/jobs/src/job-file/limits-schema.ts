import { z } from 'zod';

import { size, timeLimit, waiting } from './values.ts';

/** Limits that each of the long steps has in its own table. */
export const stepTimes = {
  'soft-time': timeLimit.optional().describe('Warn when the step takes longer.'),
  'hard-time': timeLimit.optional().describe('End the step when it takes longer; it counts as failed.'),
};

const TIME_OF_DAY = '(?:(?:[01]\\d|2[0-3]):[0-5]\\d|24:00)';
const HOURS = new RegExp(`^${TIME_OF_DAY}-${TIME_OF_DAY}$`);

const bandwidthSchema = z
  .strictObject({
    hours: z
      .string()
      .regex(HOURS, 'expected hours such as "08:00-18:00"')
      .describe('Part of the day, as in `08:00-18:00`; it may go over midnight.'),
    upload: size
      .refine((rate) => rate > 0, 'expected more than nothing')
      .optional()
      .describe('Bytes a second to the store, as in `2M`.'),
    download: size
      .refine((rate) => rate > 0, 'expected more than nothing')
      .optional()
      .describe('Bytes a second from the store.'),
  })
  .describe('Bandwidth in a part of the day. The first that fits counts; outside of all there is no limit.');

const HOST = /^[^\s:]+:\d{1,5}$/;

export const limitsSchema = z
  .strictObject({
    'soft-time': timeLimit.optional().describe('Warn when the whole job takes longer.'),
    'hard-time': timeLimit
      .optional()
      .describe('End the job when it takes longer. What is stored is found again by the next run.'),
    retries: z
      .int()
      .min(0)
      .max(100)
      .optional()
      .describe('How often a step is tried again after an error of the network or one that passes. Default: 2.'),
    'retry-wait': waiting.optional().describe('How long to wait before; twice as long each time. Default: `1m`.'),
    'retry-budget': waiting
      .optional()
      .describe('All that may be spent on waiting and trying again in one run. Default: `1h`.'),
    'minimum-free': size
      .optional()
      .describe(
        'Free space that must be there before a backup: at a repository in a directory, and for state and cache. Default: `100M`.',
      ),
    bandwidth: z.array(bandwidthSchema).optional().describe('Bandwidth by hour; it changes while the job runs.'),
    'reachable-hosts': z
      .array(z.string().regex(HOST, 'expected HOST:PORT').refine(hasPort, 'expected a port from 1 to 65535'))
      .optional()
      .describe('Other hosts that should answer, `HOST:PORT`. One that does not is a warning.'),
    nice: z
      .int()
      .min(0)
      .max(19)
      .optional()
      .describe('Scheduling priority of the run and of what it starts, as of nice(1).'),
    ionice: z
      .enum(['idle', 'best-effort'])
      .optional()
      .describe('Scheduling class of its input and output, as of ionice(1).'),
    'keep-alive': timeLimit
      .optional()
      .describe('How often a run that has nothing to say says that it goes on. Default: `30m`.'),
  })
  .describe('Limits of the run.');

export type LimitsDefinition = z.output<typeof limitsSchema>;
export type BandwidthDefinition = z.output<typeof bandwidthSchema>;

function hasPort(host: string): boolean {
  const port = Number(host.slice(host.lastIndexOf(':') + 1));
  return port >= 1 && port <= 65_535;
}
