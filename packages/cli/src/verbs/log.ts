import { CairnError, LOG_KIND_NUMBER, systemEnvironment, type HistoryOptions, type LogKind } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { parseMoment } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { logJson, logRow } from '../output/log-text.ts';
import { formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly kind?: readonly string[];
  readonly archive?: string;
  readonly since?: string;
  readonly limit?: number;
}

export const log: Verb = {
  define(command) {
    command
      .description(
        'Show what was decided, and when: every entry of the log, the newest last. Times are those of the ' +
          'store; who backed up and why something was deleted is what the entries say.',
      )
      .option('--kind <kind>', `entries of this kind only, as in COMMIT or delete; may be repeated`, several)
      .option('-a, --archive <archive>', 'entries about this archive only, even if it is gone')
      .option('--since <time>', 'entries of the last so many hours, days or weeks (36h, 7d, 2w), or since a date')
      .option('--limit <number>', 'only so many of the newest', count(1, 1_000_000))
      .addHelpText('after', '\nExample:\n  cairn log -r /backup/repo --kind delete --kind condemn --since 30d');
  },

  async run(context, { options }) {
    const { kind, archive, since, limit } = options as Options;
    const kinds = kind?.map(kindNamed);
    const sinceMs = since === undefined ? undefined : sinceOf(since);
    await withRepository(context, async ({ repository }) => {
      const { archives } = repository.access.log.state;
      const wanted: HistoryOptions = {
        ...(kinds === undefined ? {} : { kinds }),
        ...(archive === undefined ? {} : { archive: repository.archive(archive, { dropped: true }).id }),
        ...(sinceMs === undefined ? {} : { sinceMs }),
        ...(limit === undefined ? {} : { last: limit }),
      };
      const nameOf = (id: string): string => archives.get(id)?.name ?? id;
      if (context.json) {
        const array = new JsonArray(context.output);
        for await (const entry of repository.history(wanted)) await array.add(logJson(entry, nameOf));
        await array.end();
        return;
      }
      const rows: string[][] = [['entry', 'received', 'kind', 'what']];
      for await (const entry of repository.history(wanted)) rows.push(logRow(entry, nameOf));
      if (rows.length === 1) context.messages.info('The log has no such entry.');
      else for (const line of formatTable(rows, [0])) await context.output.line(line);
    });
  },
};

function kindNamed(text: string): LogKind {
  const kind = text.toUpperCase();
  if (Object.hasOwn(LOG_KIND_NUMBER, kind)) return kind as LogKind;
  throw new CairnError('USAGE', `${JSON.stringify(text)} is no kind of log entry`, {
    hint: `Kinds are ${Object.keys(LOG_KIND_NUMBER).join(', ')}.`,
  });
}

function sinceOf(text: string): number {
  const ms = parseMoment(text, Number(systemEnvironment.clock.nowNs() / 1_000_000n));
  if (ms !== undefined) return ms;
  throw new CairnError('USAGE', `${JSON.stringify(text)} is no time`, {
    hint: 'Write 36h, 7d or 2w, or a date as 2026-11-21 or 2026-11-21T08:00.',
  });
}
