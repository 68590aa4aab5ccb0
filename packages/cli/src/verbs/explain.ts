import { bytesField, type JsonObject } from '@cairn/api/shapes';
import { explainPaths, parseAddress, resolveSource, type Explanation, type PathInput } from '@cairn/core';

import type { Context } from '../context.ts';
import { repositoryPlace } from '../open-repository.ts';
import { several } from '../option-values.ts';
import { JsonArray } from '../output/json-array.ts';
import { pathArgument } from '../path-argument.ts';
import { addSelectionOptions, selectionOf } from '../selection.ts';
import { sourcesOf } from '../sources.ts';
import type { Verb } from '../verb.ts';

interface ExplainOptions {
  readonly source?: readonly string[];
}

export const explain: Verb = {
  define(command) {
    command
      .description(
        'Tell for each path whether a backup takes it, and which rule decides: rules of the configuration ' +
          'and of these options. Needs no key.',
      )
      .argument('<path...>', 'paths on this machine; they need not exist')
      .option(
        '--source <path>',
        'what would be backed up; may be repeated; otherwise that of the configuration',
        several,
      );
    addSelectionOptions(command);
    command.addHelpText('after', '\nExample:\n  cairn explain --preset caches --source /home /home/ada/.cache/x');
  },

  async run(context, { operands, options }) {
    const { output, json } = context;
    const paths = explainSources(context, options as ExplainOptions);
    const inputs = operands.map(pathArgument);
    const explanations = await explainPaths({ paths, select: await ownSelection(context) }, inputs);
    const array = new JsonArray(output);
    for (const [i, explanation] of explanations.entries()) {
      await (json ? array.add(explanationJson(inputs[i] ?? '', explanation)) : output.line(explanation.text));
    }
    if (json) await array.end();
  },
};

function explainSources(context: Context, { source }: ExplainOptions): readonly PathInput[] {
  if (source !== undefined) return source.map(pathArgument);
  const { settings } = context;
  const hasOwn = settings.list('backup.paths').length > 0 || settings.list('backup.presets').length > 0;
  return hasOwn ? sourcesOf(context, []) : ['/'];
}

/** The selection of a backup into the repository that is set, if one is. */
async function ownSelection(context: Context): ReturnType<typeof selectionOf> {
  const select = await selectionOf(context);
  if (context.settings.find('repository') === undefined) return select;
  const address = parseAddress(repositoryPlace(context));
  if (address.kind !== 'directory') return select;
  return { ...select, storePaths: [...(select.storePaths ?? []), resolveSource(`${address.path}/`)] };
}

function explanationJson(path: PathInput, { taken, decidedAt, decision, text }: Explanation): JsonObject {
  const reason = decision?.reason;
  return {
    ...bytesField('path', resolveSource(path)),
    taken,
    ...bytesField('decided_at', decidedAt),
    ...(decision === undefined ? {} : { action: decision.action }),
    ...(reason === undefined ? {} : { reason: reason.kind }),
    ...(reason?.rule === undefined ? {} : { pattern: reason.rule.pattern, origin: reason.rule.origin }),
    text,
  };
}
