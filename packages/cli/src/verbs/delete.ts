import { deletionJson } from '@cairn/api/shapes';
import { droppableFromMs, GRACE_DEFAULT_MS, type DeletePlan, type DeleteReport } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { archiveText } from '../output/archive-text.ts';
import { counted, formatStoreTime } from '../output/format.ts';
import { whoDecides } from '../user-name.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export const deleteArchives: Verb = {
  define(command) {
    command
      .description(
        'Hide archives. Their space is given back by `cairn compact` when the grace is over; until then ' +
          '`cairn undelete` brings them back. Protected archives are refused.',
      )
      .argument('<archive...>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .option('-n, --dry-run', 'tell what would be deleted, and delete nothing')
      .option('--reason <text>', 'why, for who reads `cairn log`, beside who you are')
      .addHelpText('after', '\nExample:\n  cairn delete -r /backup/repo web-2026-11-20 --reason "test run"');
  },

  async run(context, { operands, options }) {
    const { dryRun, reason } = options as Options;
    const because = { by: whoDecides(), ...(reason === undefined ? {} : { reason }) };
    await withRepository(context, async ({ repository }) => {
      const plan = await repository.planDelete(operands);
      const report = dryRun === true ? undefined : await repository.delete(plan, because);
      if (context.json) await context.output.line(JSON.stringify(deletionJson(plan, report)));
      else await print(context, plan, report);
    });
  },
};

async function print({ output, messages }: Context, plan: DeletePlan, report: DeleteReport | undefined): Promise<void> {
  const { archives } = report ?? plan;
  for (const archive of report?.unchanged ?? []) messages.info(`${archiveText(archive)} was deleted already.`);
  if (archives.length > 0) {
    await output.line(`${report === undefined ? 'Would delete' : 'Deleted'} ${counted(archives.length, 'archive')}:`);
  }
  for (const archive of archives) await output.line(`  ${archiveText(archive)}`);
  const times = archives.map((archive) => droppableFromMs(archive, GRACE_DEFAULT_MS)).filter((ms) => ms !== undefined);
  if (times.length > 0) {
    messages.info(`\`cairn undelete\` brings them back until ${formatStoreTime(Math.min(...times))} at least.`);
  }
}
