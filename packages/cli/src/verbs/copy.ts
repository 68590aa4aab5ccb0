import { EXIT_INCOMPLETE, type ArchiveRecord, type CopiedArchive, type CopyReport, type Repository } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { counted, formatBytes, formatDuration } from '../output/format.ts';
import { copyJson } from '../output/json-copy.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import type { Settings } from '../settings/settings.ts';
import type { SettingName } from '../settings/table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly to: string;
  readonly toKeyFile?: string;
  readonly toPassphraseFile?: string;
  readonly toCredentialsFile?: string;
  readonly toFingerprint?: string;
  readonly series?: string;
  readonly latest?: boolean;
  readonly again?: boolean;
  readonly dryRun?: boolean;
}

export const copy: Verb = {
  define(command) {
    command
      .description(
        'Copy archives into another repository, with other keys. What was copied before is passed over. Needs a key that ' +
          'reads here and one that writes there. Exits with 3 when an archive could not be copied.',
      )
      .argument('[archive...]', 'which ones; all when none is given')
      .requiredOption('--to <repository>', 'the repository to copy into')
      .option('--to-key-file <file>', 'key file that opens it')
      .option('--to-passphrase-file <file>', 'file with the passphrase of a key slot of it')
      .option('--to-credentials-file <file>', 'file with the credentials for its store')
      .option('--to-fingerprint <text>', 'fingerprint that its keys must have')
      .option('--series <name>', 'only archives of this series')
      .option('--latest', 'only the newest archive of each series')
      .option('--again', 'copy also what was copied before and removed there since')
      .option('-n, --dry-run', 'say what would be copied, store nothing')
      .addHelpText('after', '\nExample:\n  cairn copy -r /backup/repo --to /mnt/disk/repo --latest');
  },

  async run(context, { operands, options }) {
    const { again, dryRun, ...rest } = options as unknown as Options;
    const target = { ...context, settings: targetSettings(context.settings, rest) };
    return await withRepository(context, async ({ repository }) => {
      const archives = chooseArchives(repository, operands, rest);
      return await withRepository(target, async (opened) => {
        const threads = context.settings.count('threads');
        const line = new ProgressLine(context.messages);
        const report = await repository
          .copyTo(
            opened.repository,
            archives,
            {
              ...(threads === undefined ? {} : { threads }),
              ...(again === undefined ? {} : { again }),
              ...(dryRun === undefined ? {} : { dryRun }),
            },
            {
              signal: context.signal,
              onProgress: ({ done, total, newBytes }) =>
                line.update(() => ({ bytes: newBytes, facts: [`${done} of ${counted(total, 'archive')}`] })),
            },
          )
          .finally(() => line.done());
        if (context.json) await context.output.line(JSON.stringify(copyJson(report)));
        else await print(context, report);
        return report.archives.some(({ outcome }) => outcome === 'damaged') ? EXIT_INCOMPLETE : 0;
      });
    });
  },
};

/** The settings for the target: nothing that says how the source is opened holds for it. A token goes to no other server. */
function targetSettings(settings: Settings, options: Omit<Options, 'again' | 'dryRun'>): Settings {
  const changes = new Map<SettingName, { value: string; layer: 'option'; where: string } | undefined>([
    ['passphrase-command', undefined],
    ['passphrase-fd', undefined],
  ]);
  const given = {
    repository: [options.to, '--to'],
    'key-file': [options.toKeyFile, '--to-key-file'],
    'passphrase-file': [options.toPassphraseFile, '--to-passphrase-file'],
    'credentials-file': [options.toCredentialsFile, '--to-credentials-file'],
    fingerprint: [options.toFingerprint, '--to-fingerprint'],
  } as const;
  for (const [name, [value, where]] of Object.entries(given)) {
    changes.set(name as keyof typeof given, value === undefined ? undefined : { value, layer: 'option', where });
  }
  return settings.replacing(changes);
}

function chooseArchives(
  repository: Repository,
  refs: readonly string[],
  { series, latest }: Pick<Options, 'series' | 'latest'>,
): readonly ArchiveRecord[] {
  const all = repository.archives(series === undefined ? {} : { series });
  const named = new Set(refs.map((ref) => repository.archive(ref).id));
  const chosen = named.size === 0 ? all : all.filter(({ id }) => named.has(id));
  if (latest !== true) return chosen;
  const newest = new Map(chosen.map((archive) => [archive.descriptor.series, archive]));
  return chosen.filter((archive) => newest.get(archive.descriptor.series) === archive);
}

const SAID: Readonly<Record<CopiedArchive['outcome'], string>> = {
  copied: 'copied',
  present: 'there already',
  removed: 'copied before and removed since; --again copies it',
  planned: 'to be copied',
  damaged: 'damaged',
};

async function print({ output, messages }: Context, report: CopyReport): Promise<void> {
  const counts = new Map<string, number>();
  for (const archive of report.archives) {
    const { outcome, source } = archive;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    if (outcome === 'damaged') messages.write(`error: ${safeText(source.name)}: ${safeText(archive.reason)}`);
    else if (outcome !== 'present') await output.line(`${safeText(source.name)}: ${SAID[outcome]}`);
    else messages.detail(`${safeText(source.name)}: ${SAID[outcome]}`);
  }
  const copied = counts.get('copied') ?? 0;
  const facts: (readonly [string, string])[] = [['copied', counted(copied, 'archive')]];
  for (const outcome of ['present', 'removed', 'planned', 'damaged'] as const) {
    const count = counts.get(outcome);
    if (count !== undefined) facts.push([outcome, counted(count, 'archive')]);
  }
  facts.push(
    ['new', `${formatBytes(report.newBytes)}, which take ${formatBytes(report.storedBytes)}`],
    ['took', formatDuration(report.durationMs)],
  );
  for (const line of formatFacts(facts)) await output.line(line);
}
