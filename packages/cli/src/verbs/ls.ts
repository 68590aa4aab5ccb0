import { entryJson } from '@cairn/api/shapes';
import { displayName, ENTRY_KIND, pathBytes, type WalkedEntry } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count } from '../option-values.ts';
import { longLine } from '../output/entry-line.ts';
import { JsonArray } from '../output/json-array.ts';
import { pathArgument } from '../path-argument.ts';
import { throwIfStopped } from '../signals.ts';
import type { Verb } from '../verb.ts';

interface LsOptions {
  readonly long?: boolean;
  readonly depth?: number;
}

export const ls: Verb = {
  define(command) {
    command
      .description('List what is in an archive: a path, and everything below it.')
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('[path...]', 'paths in the archive; everything when none is given')
      .option('-l, --long', 'also kind, mode, owner, size and time')
      .option('--depth <levels>', 'levels to go down; 1 shows a directory without those in it', count(0, 10_000))
      .addHelpText('after', '\nExample:\n  cairn ls -r /backup/repo latest /etc --depth 1 -l');
  },

  async run(context, { operands, options }) {
    const [ref = '', ...paths] = operands;
    await withRepository(context, async ({ repository }) => {
      const view = await repository.view(ref);
      const { depth } = options as LsOptions;
      const printer = context.json ? jsonPrinter(context) : textPrinter(context, options as LsOptions);
      for (const path of paths.length === 0 ? ['/'] : paths.map(pathArgument)) {
        for await (const walked of view.walk(pathBytes(path), depth === undefined ? {} : { depth })) {
          const wait = printer.add(walked);
          if (wait !== undefined) await wait;
          throwIfStopped(context.signal);
        }
      }
      await printer.end();
    });
  },
};

interface Printer {
  add(walked: WalkedEntry): Promise<void> | undefined;
  end(): Promise<void>;
}

function jsonPrinter({ output }: Context): Printer {
  const array = new JsonArray(output);
  return {
    add: ({ path, entry }) => array.add(entryJson(path, entry)),
    end: async () => await array.end(),
  };
}

function textPrinter({ output }: Context, { long }: LsOptions): Printer {
  return {
    add: ({ path, entry }) => {
      if (long === true) return output.line(longLine(path, entry));
      const slash = entry.kind === ENTRY_KIND.directory && path !== '/' ? '/' : '';
      return output.line(`${displayName(path)}${slash}`);
    },
    end: async () => undefined,
  };
}
