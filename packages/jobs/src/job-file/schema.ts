import { ALGORITHMS, parseAddress, parseFingerprint, pathMatcher, presetNamed, PRESETS } from '@cairn/core';
import { z } from 'zod';

import { alertsSchema } from '../alerts/alert-schema.ts';
import { dumpsSchema } from '../dumps/dump-schema.ts';
import { JOB_NAME } from '../runs/run-id.ts';
import { hookSchema } from './hook-schema.ts';
import { limitsSchema, stepTimes } from './limits-schema.ts';
import { scheduleSchema, timeZone } from './schedule-schema.ts';
import { duration, path, place, share, size, takenBy, text, timeLimit } from './values.ts';

const repositorySchema = z
  .strictObject({
    address: place
      .check(takenBy(parseAddress))
      .describe('Where it is: a directory, or an address such as `ssh://HOST/NAME` or `s3://BUCKET/PREFIX`.'),
    'key-file': path
      .optional()
      .describe('Key file, or file with a key slot. Default: the one that `cairn` uses by itself.'),
    'passphrase-file': path
      .optional()
      .describe('File with the passphrase of a key slot. Only its owner should read it.'),
    'credentials-file': path.optional().describe('File with the credentials for the store.'),
    fingerprint: text.check(takenBy(parseFingerprint)).optional().describe('Refuse keys with another fingerprint.'),
    'retry-for': duration
      .optional()
      .describe('How long one call to the store is tried again while there is no answer. Default: `2m`.'),
  })
  .describe('The repository that the job works on.');

const backupSchema = z
  .strictObject({
    series: text.optional().describe('Series of the archives. Default: `HOST-JOB`, so that each job has its own.'),
    sources: z.array(path).optional().describe('Files and directories to back up. Default: those of the presets.'),
    excludes: z
      .array(text.check(takenBy((pattern) => pathMatcher([pattern]))))
      .optional()
      .describe('Patterns of what to leave out.'),
    'exclude-from': z.array(path).optional().describe('Files with patterns, one a line.'),
    presets: z
      .array(text.check(takenBy(presetNamed)))
      .optional()
      .describe('Named lists of what to leave out: `system`, `caches`, `maadix`, …'),
    'exclude-caches': z.boolean().optional().describe('Leave out what is in directories tagged as caches.'),
    'exclude-if-present': z
      .array(text)
      .optional()
      .describe('Leave out what is in directories that hold one of these names.'),
    'exclude-nodump': z.boolean().optional().describe('Leave out what has the nodump flag.'),
    'exclude-larger-than': size.optional().describe('Leave out larger files.'),
    'one-file-system': z.boolean().optional().describe('Leave out what is on other file systems than its source.'),
    tags: z.array(text).optional().describe('Tags of the archives.'),
    comment: text.optional().describe('Comment of the archives.'),
    host: text.optional().describe('Name of the host, when it is another than this one.'),
    compression: z.int().min(1).max(22).optional().describe('zstd level. Default: 3.'),
    threads: z
      .int()
      .min(0)
      .max(256)
      .optional()
      .describe('Worker threads; 0 works without. Default: one for each core, at most 4.'),
    ...stepTimes,
  })
  .describe('What to back up. Dumps of the job are in the same archive.');

const keep = z.int().min(-1).max(1_000_000).optional();

const pruneSchema = z
  .strictObject({
    'keep-default': z.literal(true).optional().describe('Keep 7 daily, 8 weekly and 4 monthly archives. Stands alone.'),
    'keep-last': keep.describe('Keep so many of the newest archives; -1 keeps all, here and below.'),
    'keep-hourly': keep.describe('Keep the newest archive of so many hours that have one.'),
    'keep-daily': keep.describe('… of so many days.'),
    'keep-weekly': keep.describe('… of so many weeks.'),
    'keep-monthly': keep.describe('… of so many months.'),
    'keep-3monthly': keep.describe('… of so many quarters of 3 months.'),
    'keep-yearly': keep.describe('… of so many years.'),
    'keep-within': z
      .string()
      .regex(/^[1-9]\d{0,8}[ymwdHMS]$/, 'expected an interval such as "2w"')
      .optional()
      .describe('Keep all archives that are younger: `2w`, with y, m, w, d, H, M or S.'),
    algorithm: z.enum(ALGORITHMS).optional().describe('How the rules work together. Default: `borg`.'),
    series: z
      .array(text)
      .optional()
      .describe('Series to prune. Default: that of the backup; all for a job that makes no archives.'),
    'time-zone': timeZone.optional().describe('Where days and weeks begin. Default: that of the schedule.'),
    by: z
      .enum(['received', 'started'])
      .optional()
      .describe('When the store received an archive, or when its backup started. Default: `received`.'),
    'max-share': share.optional().describe('Refuse to remove more of a series at once. Default: `50%`.'),
    ...stepTimes,
  })
  .refine(keepsSomething, 'expected something to keep, such as `keep-default = true` or `keep-daily = 7`')
  .refine(keepsOneWay, '`keep-default` stands for a whole policy: leave out the other rules, or leave it out')
  .describe('Which archives to delete after the backup. They can be brought back until their grace is over.');

const compactSchema = z
  .strictObject({
    grace: duration
      .optional()
      .describe('How long a deleted archive stays, and again what nothing needs. Default: `7d`.'),
    'max-unused': share.optional().describe('Share of a pack that may be unused. Default: `25%`.'),
    ...stepTimes,
  })
  .describe('Give back space after the prune.');

const checkSchema = z
  .strictObject({
    'time-budget': timeLimit
      .optional()
      .describe('Read data of packs for so long, those first that were read longest ago.'),
    share: share.optional().describe('Read data of that share of the packs.'),
    headers: z.boolean().optional().describe('Read the headers of packs. Default: true.'),
    ...stepTimes,
  })
  .describe('Look for damage after all else. Without `time-budget` or `share` no data is read, only structure.');

/** A job file. Keys are those of the TOML file; times are milliseconds, sizes bytes, shares from 0 to 1, paths absolute. */
export const jobFileSchema = z
  .strictObject({
    name: z
      .string()
      .regex(JOB_NAME, 'expected small letters, digits and hyphens, 63 at most')
      .optional()
      .describe('Name of the job. Default: that of the file without `.toml`; if both are given, they are the same.'),
    description: text.optional().describe('What the job is for.'),
    policy: z
      .enum(['continue', 'stop'])
      .optional()
      .describe(
        'What a failed step means for those after it: `continue` warns and goes on, `stop` leaves them out. Default: `continue`.',
      ),
    repository: repositorySchema,
    backup: backupSchema.optional(),
    dumps: dumpsSchema.optional().describe('Databases, and what programs print, to store beside the sources.'),
    hooks: z.array(hookSchema).optional().describe('Programs to run before and after the job, or one of its steps.'),
    prune: pruneSchema.optional(),
    compact: compactSchema.optional(),
    check: checkSchema.optional(),
    schedule: scheduleSchema.optional(),
    limits: limitsSchema.optional(),
    alerts: alertsSchema.optional(),
  })
  .refine(hasSources, { path: ['backup'], error: 'expected `sources`, a preset that has some, or [[dumps]]' })
  .refine(hasWork, 'expected something to do: [backup], [[dumps]], [prune], [compact] or [check]')
  .describe('One job of Cairn: what to back up, when, and what to do before and after it.');

/** A job as it was read. */
export type JobDefinition = z.output<typeof jobFileSchema>;
/** A job as it is written: what `stringify` of a TOML library makes a job file of. */
export type JobFileInput = z.input<typeof jobFileSchema>;

function keepsSomething(prune: object): boolean {
  return Object.entries(prune).some(([name, value]) => name.startsWith('keep-') && value !== undefined && value !== 0);
}

function keepsOneWay(prune: object): boolean {
  return !('keep-default' in prune) || Object.keys(prune).filter((name) => name.startsWith('keep-')).length === 1;
}

function hasWork(job: object): boolean {
  return ['backup', 'dumps', 'prune', 'compact', 'check'].some((name) => name in job);
}

/** Presets that only leave something out have no sources. */
function hasSources({ backup, dumps }: Parts): boolean {
  if (backup === undefined || dumps !== undefined) return true;
  if (backup.sources !== undefined) return backup.sources.length > 0;
  return PRESETS.some(({ name, sources }) => sources.length > 0 && backup.presets?.includes(name) === true);
}

interface Parts {
  readonly backup?:
    { readonly sources?: readonly string[] | undefined; readonly presets?: readonly string[] | undefined } | undefined;
  readonly dumps?: readonly unknown[] | undefined;
}
