import { changeJson } from '@cairn/api/shapes';
import { displayName, type Change } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import { formatBytes } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { pathArgument } from '../path-argument.ts';
import type { Verb } from '../verb.ts';

const LETTER: Readonly<Record<Change['change'], string>> = { added: '+', removed: '-', modified: 'M', type: 'T' };

export const diff: Verb = {
  define(command) {
    command
      .description(
        'Show what differs between two archives: + added, - removed, M modified, T another kind. Contents ' +
          'are compared by chunks, nothing is read.',
      )
      .argument('<before>', 'the earlier archive')
      .argument('<after>', 'the later archive')
      .argument('[path...]', 'compare these paths in the archives only')
      .addHelpText('after', '\nExample:\n  cairn diff -r /backup/repo web-2026-11-20 latest /etc');
  },

  async run(context, { operands }) {
    const [before = '', after = '', ...paths] = operands;
    await withRepository(context, async ({ repository }) => {
      const array = new JsonArray(context.output);
      const limits = paths.length === 0 ? {} : { paths: paths.map(pathArgument) };
      for await (const change of repository.diff(before, after, { ...limits, signal: context.signal })) {
        await (context.json ? array.add(changeJson(change)) : context.output.line(lineOf(change)));
      }
      if (context.json) await array.end();
    });
  },
};

function lineOf({ path, change, what, addedBytes, removedBytes }: Change): string {
  const details = [
    ...what,
    ...(addedBytes > 0 ? [`+${formatBytes(addedBytes)}`] : []),
    ...(removedBytes > 0 ? [`-${formatBytes(removedBytes)}`] : []),
  ];
  return `${LETTER[change]} ${displayName(path)}${details.length === 0 ? '' : `  (${details.join(', ')})`}`;
}
