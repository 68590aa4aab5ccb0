import { formatBytes, formatDuration } from '@cairn/core';
import type { JobFile } from '@cairn/jobs';

import { addJobsDirectory, jobMeant } from '../jobs/job-context.ts';
import { formatFacts } from '../output/table.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

export const jobShow: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description('Show what a job says, as it was understood. With --json times are milliseconds and sizes bytes.')
      .argument('<job>', 'name of a job, path of a job file, or - for standard input')
      .addHelpText('after', '\nExample:\n  cairn job show nightly');
  },

  async run(context, { operands }) {
    const job = await jobMeant(context, operands[0] ?? '');
    if (context.json) await context.output.line(JSON.stringify(job));
    else for (const line of formatFacts(factsOf(job))) await context.output.line(line);
  },
};

/** Values by their names in the file; tables in tables have dots. */
function factsOf(job: JobFile): (readonly [string, string])[] {
  return Object.entries(job).flatMap(([name, value]) => facts(name, value));
}

function facts(name: string, value: unknown): (readonly [string, string])[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return [[name, safeText(value.join(', '))]];
    return value.flatMap((item, at) => facts(`${name}[${at}]`, item));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([inner, one]) => facts(`${name}.${inner}`, one));
  }
  return [[name, safeText(shown(name, value))]];
}

const TIMES = /(?:-time|-budget|-wait|-for|keep-alive|time-limit|grace|debounce|ceiling)$/;
const SIZES = /(?:minimum-free|exclude-larger-than|upload|download)$/;

function shown(name: string, value: unknown): string {
  if (typeof value === 'number' && TIMES.test(name)) return formatDuration(value);
  return typeof value === 'number' && SIZES.test(name) ? formatBytes(value) : String(value);
}
