import { withRepository } from '../open-repository.ts';
import { printAnnotated } from '../output/archive-text.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

export const comment: Verb = {
  define(command) {
    command
      .description('Set the comment of archives; an empty one removes it.')
      .argument('<text>', 'the comment')
      .argument('<archive...>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .addHelpText('after', '\nExample:\n  cairn comment -r /backup/repo "before the upgrade" latest');
  },

  async run(context, { operands }) {
    const [text = '', ...refs] = operands;
    await withRepository(context, async ({ repository }) => {
      const archives = await repository.comment(refs, text);
      await printAnnotated(context, archives, (archive) =>
        archive.comment === '' ? 'no comment' : safeText(archive.comment),
      );
    });
  },
};
