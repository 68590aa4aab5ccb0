import { z } from 'zod';

import { command, timeLimit } from './values.ts';

/** Steps of a job that a hook can stand beside. */
export const MAIN_STEPS = ['backup', 'prune', 'compact', 'check'] as const;
export type MainStep = (typeof MAIN_STEPS)[number];

export const hookSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected small letters, digits and hyphens')
      .optional()
      .describe('Name of the hook in records of runs. Default: when it runs and its number, as in `before-1`.'),
    when: z
      .enum(['before', 'after', 'always'])
      .describe(
        '`before`; `after` what began, however it went; `always`, also when what it stands beside was left out or cancelled.',
      ),
    step: z.enum(MAIN_STEPS).optional().describe('The step that it stands beside. Default: the whole job.'),
    command: command.describe('The program and its arguments, without a shell.'),
    'time-limit': timeLimit
      .optional()
      .describe('Ends it, and all that it started, when it takes longer. Default: `1h`.'),
  })
  .describe('A program to run before or after.');

export type HookDefinition = z.output<typeof hookSchema>;
