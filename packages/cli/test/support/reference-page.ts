import type { Command } from 'commander';

import { configPlaces } from '../../src/settings/resolve.ts';
import { SETTINGS, type SettingRow } from '../../src/settings/table.ts';

const TYPE: Readonly<Record<SettingRow['type'], string>> = {
  text: 'text',
  path: 'path',
  place: 'path or address',
  count: 'number',
  flag: 'true or false',
  list: 'texts',
  paths: 'paths',
};

const INTRO = `# Commands

This page is made from the program itself; \`cairn COMMAND --help\` shows the same.

Options that every command takes (\`Global Options\`) may stand before or after the command. The exit status is 0 when all went well, 3 when
it went well but for something that is told, and that of an [error](errors.md) otherwise. [JSON](json.md) says what \`--json\` prints.

An archive goes by its name, its id, the beginning of one, \`latest\`, or \`SERIES@latest\`. Paths in an archive are whole paths. Patterns are
those of [leaving things out](../guides/exclude.md).
`;

const SETTINGS_INTRO = `## Settings

What is not given as an option is looked for in the environment, and then in the configuration file: the one that \`--config\` or
\`CAIRN_CONFIG\` names, else the first that exists of \`~/.config/cairn/config.toml\` (or below \`XDG_CONFIG_HOME\`) and \`/etc/cairn/config.toml\`. Each
setting is taken whole from the strongest place that has it: excludes given as options replace those of the file. \`cairn config\` shows what is in effect
and where it comes from.

The file is TOML. Relative paths in it start at its own directory, and \`~/\` is the home directory. A name that is no setting is an error.

\`\`\`toml
repository = "/backup/repo"
key-file = "/etc/cairn/write.key"

[backup]
paths = ["/etc", "/home", "/srv"]
presets = ["caches", "trash"]
excludes = ["*.iso"]
one-file-system = true
\`\`\`
`;

const KEYS_INTRO = `
**Where the repository is.** [Addresses](addresses.md) has every form of \`--repository\`, and where each kind of store takes its credentials from: never
from an option, for other users of a machine can see those.

**How the repository is opened.** With the key file that is set; else, when a passphrase file, command or descriptor is set, with a key slot of
the repository; else with the key file at \`~/.config/cairn/keys/ID.key\`, where \`cairn init\` and \`cairn key import\` put it; else with a key slot whose
passphrase is asked for on the terminal. A key file may also be a key slot in a file (\`cairn key slot add --output\`). No passphrase is ever
taken from an option or an environment variable: other users of a machine can see those.

**What Cairn keeps for itself.** In the state directory, what it saw of each repository: with it a store that was set back is noticed. In the
cache directory, names and metadata of the newest archives, so that a backup with a write key reads only what changed, the log of
stores that are far away, and up to 512 MB of their packs while one is mounted or browsed; all of it may be deleted.
`;

/** \`docs/reference/cli.md\`, from a program whose commands are all defined. */
export function referencePage(program: Command): string {
  const sections = program.commands.flatMap((command) => sectionsOf(command, [command.name()]));
  return [INTRO, SETTINGS_INTRO, settingsTable(), KEYS_INTRO.trimEnd(), helpOf('cairn', program), ...sections].join(
    '\n',
  );
}

function settingsTable(): string {
  const rows = (SETTINGS as readonly SettingRow[]).map(({ name, type, option, variable, about }) => {
    const inFile = name === 'passphrase-fd' ? '' : `\`${name}\``;
    const cells = [
      inFile,
      option === undefined ? '' : `\`--${option}\``,
      variable === undefined ? '' : `\`${variable}\``,
    ];
    return [...cells, TYPE[type], about];
  });
  return tableOf([['in the file', 'option', 'variable', 'value', 'what'], ...rows]);
}

/** A table as the formatter of this project lays it out. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function sectionsOf(command: Command, words: readonly string[]): string[] {
  const own = helpOf(`cairn ${words.join(' ')}`, command);
  return [own, ...command.commands.flatMap((below) => sectionsOf(below, [...words, below.name()]))];
}

function helpOf(title: string, command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  // Those are shown once, for the program itself.
  const shown = help.replace(/\nGlobal Options:\n(?: .*\n)+/, '');
  return `\n## ${title}\n\n\`\`\`text\n${shown.trim()}\n\`\`\``;
}

/** Places that the text above names. */
export const NAMED_PLACES = configPlaces({ HOME: '/home/ada' });
