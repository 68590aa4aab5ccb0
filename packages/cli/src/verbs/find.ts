import { entryJson } from '@cairn/api/shapes';
import { displayName, ENTRY_KIND, pathBytes, pathMatcher, type ArchiveRecord, type Found } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { several } from '../option-values.ts';
import { longLine } from '../output/entry-line.ts';
import { JsonArray } from '../output/json-array.ts';
import { safeText } from '../output/safe-text.ts';
import { pathArgument } from '../path-argument.ts';
import type { Verb } from '../verb.ts';

interface FindOptions {
  readonly archive?: readonly string[];
  readonly series?: string;
  readonly under?: string;
  readonly long?: boolean;
}

export const find: Verb = {
  define(command) {
    command
      .description(
        'Search archives for paths, the newest archive first. Patterns are written as for --exclude of ' +
          '`cairn backup`: a name at any depth, or a path with a leading slash.',
      )
      .argument('<pattern...>', 'what to look for')
      .option('-a, --archive <archive>', 'look in this archive only; may be repeated', several)
      .option('--series <name>', 'look in archives of this series only')
      .option('--under <path>', 'look below this path only')
      .option('-l, --long', 'also kind, mode, owner, size and time')
      .addHelpText('after', '\nExample:\n  cairn find -r /backup/repo "*.sql.gz" --under /var/backups');
  },

  async run(context, { operands, options }) {
    const matches = pathMatcher(operands);
    const { archive: refs, series, under, long } = options as FindOptions;
    await withRepository(context, async ({ repository }) => {
      const archives =
        refs?.map((ref) => repository.archive(ref)) ?? repository.archives(series === undefined ? {} : { series });
      const print = context.json ? jsonPrinter(context) : textPrinter(context, long === true);
      let found = 0;
      for await (const one of repository.find({
        archives,
        // Patterns that end with a slash are for directories, and the kind is known only of what is found.
        match: (path) => matches(path, true),
        ...(under === undefined ? {} : { under: pathBytes(pathArgument(under)) }),
        signal: context.signal,
      })) {
        if (!matches(one.path, one.entry.kind === ENTRY_KIND.directory)) continue;
        found += 1;
        await print.add(one);
      }
      await print.end();
      if (found === 0) context.messages.info('Nothing was found.');
    });
  },
};

interface Printer {
  add(found: Found): Promise<void>;
  end(): Promise<void>;
}

function jsonPrinter({ output }: Context): Printer {
  const array = new JsonArray(output);
  return {
    add: async ({ archive, path, entry }) =>
      await array.add({ archive: archive.name, archive_id: archive.id, ...entryJson(path, entry) }),
    end: async () => await array.end(),
  };
}

function textPrinter({ output }: Context, long: boolean): Printer {
  let shown: ArchiveRecord | undefined;
  return {
    add: async ({ archive, path, entry }) => {
      if (shown?.id !== archive.id) await output.line(`${shown === undefined ? '' : '\n'}${safeText(archive.name)}`);
      shown = archive;
      await output.line(`  ${long ? longLine(path, entry) : displayName(path)}`);
    },
    end: async () => undefined,
  };
}
