import { archiveJson } from '@cairn/api/shapes';
import { withRepository } from '../open-repository.ts';
import { archiveText } from '../output/archive-text.ts';
import type { Verb } from '../verb.ts';

export const rename: Verb = {
  define(command) {
    command
      .description('Give an archive another name. Its series, which retention goes by, stays what it is.')
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('<name>', 'the new name; no other archive may have it')
      .addHelpText('after', '\nExample:\n  cairn rename -r /backup/repo latest before-the-upgrade');
  },

  async run(context, { operands }) {
    const [ref = '', name = ''] = operands;
    await withRepository(context, async ({ repository }) => {
      const archive = await repository.rename(ref, name);
      await context.output.line(context.json ? JSON.stringify(archiveJson(archive)) : archiveText(archive));
    });
  },
};
