import type { BackupReport } from '@cairn/core';

import { counted, formatBytes, formatDuration } from './format.ts';
import { safeText } from './safe-text.ts';
import { formatFacts } from './table.ts';

/** How a backup went, for people. */
export function backupText(report: BackupReport, dryRun: boolean): string[] {
  const { archive, progress, parent, problemCounts, durationMs } = report;
  const { files, directories, unchangedFiles, excluded, bytes, newBytes, storedBytes } = progress;
  const known = bytes === 0 ? 0 : Math.max(0, 1 - newBytes / bytes);
  const facts: (readonly [string, string])[] = [
    [
      'looked at',
      `${counted(files, 'file')}, ${counted(directories, 'directory', 'directories')}, ${formatBytes(bytes)}`,
    ],
    ['unchanged', `${counted(unchangedFiles, 'file')}, not read`],
    [
      'new',
      `${formatBytes(newBytes)}, ${formatBytes(storedBytes)} stored; ${(known * 100).toFixed(1)} % was there already`,
    ],
  ];
  if (excluded > 0) facts.push(['left out', `${counted(excluded, 'entry', 'entries')} by rules`]);
  if (parent !== undefined) facts.push(['compared with', safeText(parent)]);
  for (const [kind, count] of problemCounts) facts.push([kind, counted(count, 'time')]);
  facts.push(['took', formatDuration(durationMs)]);
  const name = safeText(archive.name);
  const head = dryRun ? `Nothing is stored; this would be ${name}.` : `Archive ${name}, id ${archive.id.slice(0, 8)}.`;
  const tail = archive.descriptor.complete ? [] : ['Incomplete: something could not be read; see above.'];
  return [head, ...formatFacts(facts), ...tail];
}
