import { deletionJson } from '@cairn/api/shapes';
import type { DeletePlan, DeleteReport } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { archiveText } from '../output/archive-text.ts';
import { counted } from '../output/format.ts';
import { whoDecides } from '../user-name.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export const undelete: Verb = {
  define(command) {
    command
      .description(
        'Bring deleted archives back, as long as compact has not dropped them. `cairn list --deleted` ' +
          'shows them, with the date from which it may.',
      )
      .argument('<archive...>', 'name, id, the beginning of one, `latest` or `SERIES@latest`, of deleted archives')
      .option('-n, --dry-run', 'tell what would be brought back, and change nothing')
      .option('--reason <text>', 'why, for who reads `cairn log`, beside who you are')
      .addHelpText('after', '\nExample:\n  cairn undelete -r /backup/repo web-2026-11-20');
  },

  async run(context, { operands, options }) {
    const { dryRun, reason } = options as Options;
    const because = { by: whoDecides(), ...(reason === undefined ? {} : { reason }) };
    await withRepository(context, async ({ repository }) => {
      const plan = await repository.planUndelete(operands);
      const report = dryRun === true ? undefined : await repository.undelete(plan, because);
      if (context.json) await context.output.line(JSON.stringify(deletionJson(plan, report)));
      else await print(context, plan, report);
    });
  },
};

async function print({ output, messages }: Context, plan: DeletePlan, report: DeleteReport | undefined): Promise<void> {
  const { archives } = report ?? plan;
  for (const archive of report?.unchanged ?? []) messages.info(`${archiveText(archive)} was brought back already.`);
  if (archives.length > 0) {
    const done = report === undefined ? 'Would bring back' : 'Brought back';
    await output.line(`${done} ${counted(archives.length, 'archive')}:`);
  }
  for (const archive of archives) await output.line(`  ${archiveText(archive)}`);
}
