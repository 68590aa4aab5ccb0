import { CairnError, presetNamed, type PathInput } from '@cairn/core';

import type { Context } from './context.ts';
import { pathArgument } from './path-argument.ts';

/**
 * What to back up: the paths given; else those of the configuration; else those that a preset stands for. Rejects with `USAGE`
 * when there are none.
 */
export function sourcesOf({ settings }: Pick<Context, 'settings'>, operands: readonly string[]): readonly PathInput[] {
  if (operands.length > 0) return operands.map(pathArgument);
  const configured = settings.list('backup.paths');
  if (configured.length > 0) return configured;
  const sources = settings.list('backup.presets').flatMap((name) => presetNamed(name).sources);
  if (sources.length > 0) return sources;
  throw new CairnError('USAGE', 'no path to back up is given', {
    hint: 'Name at least one file or directory, or set `paths` in [backup] of the configuration file.',
  });
}
