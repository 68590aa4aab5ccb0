import type { Context } from '../context.ts';
import { JsonArray } from '../output/json-array.ts';
import { formatTable } from '../output/table.ts';
import { configPlaces } from '../settings/resolve.ts';
import { SETTINGS } from '../settings/table.ts';
import type { SettingValue } from '../settings/settings.ts';
import type { Verb } from '../verb.ts';

export const config: Verb = {
  define(command) {
    command
      .description(
        'Show the settings in effect and where each comes from. Options are stronger than the ' +
          'environment, the environment is stronger than the configuration file.',
      )
      .addHelpText('after', '\nExample:\n  cairn config');
  },

  async run(context) {
    await (context.json ? printJson(context) : printTable(context));
  },
};

async function printTable({ settings, output, messages, variables }: Context): Promise<void> {
  const rows = SETTINGS.flatMap(({ name }) => {
    const setting = settings.find(name);
    return setting === undefined ? [] : [[name, shown(setting.value), setting.where]];
  });
  for (const line of formatTable([['setting', 'value', 'from'], ...rows])) await output.line(line);
  messages.detail(`Configuration files are looked for at ${configPlaces(variables).join(' and ')}.`);
}

function shown(value: SettingValue): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}

async function printJson({ settings, output }: Context): Promise<void> {
  const array = new JsonArray(output);
  for (const { name } of SETTINGS) {
    const setting = settings.find(name);
    if (setting === undefined) continue;
    const { value, layer, where } = setting;
    await array.add({ name, value, layer, where });
  }
  await array.end();
}
