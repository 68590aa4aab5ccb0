import { CairnError, type TagChange } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import { several } from '../option-values.ts';
import { printAnnotated } from '../output/archive-text.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly set?: readonly string[];
  readonly clear?: boolean;
}

export const tag: Verb = {
  define(command) {
    command
      .description('Change the tags of archives: those that are there, without some, and with others.')
      .argument('<archive...>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .option('--add <text>', 'add this tag; may be repeated', several)
      .option('--remove <text>', 'remove this tag; may be repeated', several)
      .option('--set <text>', 'these in the place of all others; may be repeated', several)
      .option('--clear', 'remove all tags first')
      .addHelpText('after', '\nExample:\n  cairn tag -r /backup/repo latest --add release --remove draft');
  },

  async run(context, { operands, options }) {
    const change = changeOf(options as Options);
    await withRepository(context, async ({ repository }) => {
      const archives = await repository.tag(operands, change);
      await printAnnotated(context, archives, ({ tags }) =>
        tags.length === 0 ? 'no tags' : tags.map((text) => `#${safeText(text)}`).join(' '),
      );
    });
  },
};

function changeOf({ add, remove, set, clear }: Options): TagChange {
  if (add === undefined && remove === undefined && set === undefined && clear !== true) {
    throw new CairnError('USAGE', 'no change of tags is given', { hint: 'Use --add, --remove, --set or --clear.' });
  }
  const replaced = set ?? (clear === true ? [] : undefined);
  return {
    ...(add === undefined ? {} : { add }),
    ...(remove === undefined ? {} : { remove }),
    ...(replaced === undefined ? {} : { set: replaced }),
  };
}
