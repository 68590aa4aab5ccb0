import { withRepository } from '../open-repository.ts';
import { printAnnotated } from '../output/archive-text.ts';
import type { Verb } from '../verb.ts';

export const protect: Verb = {
  define(command) {
    command
      .description('Keep archives from being deleted, by hand or by retention, for as long as they are protected.')
      .argument('<archive...>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .option('--off', 'end the protection')
      .addHelpText('after', '\nExample:\n  cairn protect -r /backup/repo web-2026-11-20');
  },

  async run(context, { operands, options }) {
    await withRepository(context, async ({ repository }) => {
      const archives = await repository.protect(operands, options['off'] !== true);
      await printAnnotated(context, archives, (archive) => (archive.protect ? 'protected' : 'not protected'));
    });
  },
};
