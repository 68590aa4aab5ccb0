import { ERROR_TABLE } from '@cairn/core';
import { examineJob, listJobs, nameOfFile, problemText, readJobText, type JobProblem } from '@cairn/jobs';

import { addJobsDirectory, jobFileMeant, jobsDirectoryOf } from '../jobs/job-context.ts';
import { JsonArray } from '../output/json-array.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

export const jobValidate: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Look for mistakes in job files, and tell all of them with their lines. Exits with 2 when there is one.',
      )
      .argument('[job...]', 'names of jobs, or paths of job files; all of the jobs directory when none is given')
      .addHelpText('after', '\nExample:\n  cairn job validate nightly');
  },

  async run(context, { operands }) {
    const { json, output } = context;
    const files =
      operands.length > 0
        ? operands.map((operand) => jobFileMeant(context, operand))
        : (await listJobs(jobsDirectoryOf(context))).map(({ file }) => file);
    const array = new JsonArray(output);
    let isGood = true;
    for (const file of files) {
      const examined = examineJob(await readJobText(file), nameOfFile(file), file);
      const problems = 'problems' in examined ? examined.problems : [];
      isGood &&= problems.length === 0;
      if (json) await array.add({ file, problems: problems.map(problemJson) });
      else if (problems.length === 0) await output.line(`${file}: no mistake`);
      else for (const problem of problems) await output.line(`${file}: ${safeText(problemText(problem))}`);
    }
    if (json) await array.end();
    return isGood ? 0 : ERROR_TABLE.USAGE.exit;
  },
};

function problemJson({ line, place, message }: JobProblem): Readonly<Record<string, string | number>> {
  return { ...(line === undefined ? {} : { line }), place, message };
}
