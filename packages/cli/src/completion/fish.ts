import { allCommands, type CommandInfo, type OptionInfo } from './command-tree.ts';

/** A completion script for fish. */
export function fishCompletion(root: CommandInfo): string {
  const lines = allCommands(root).flatMap((command) => [
    ...command.below.map((below) => verbLine(command, below)),
    ...command.options.map((option) => optionLine(command, option)),
  ]);
  return `# fish completion for cairn; put it into ~/.config/fish/completions/cairn.fish.
function __cairn_at
    set -l words (commandline -opc)
    set -l found
    for word in $words[2..]
        string match -q -- '-*' $word; or set -a found $word
    end
    test (count $found) -ge (count $argv); or return 1
    for i in (seq (count $argv))
        test "$found[$i]" = "$argv[$i]"; or return 1
    end
end
function __cairn_ends_at
    set -l words (commandline -opc)
    set -l found
    for word in $words[2..]
        string match -q -- '-*' $word; or set -a found $word
    end
    test "$found" = "$argv"
end
${lines.join('\n')}
`;
}

function verbLine(command: CommandInfo, below: CommandInfo): string {
  const when = `__cairn_ends_at ${command.words.join(' ')}`.trimEnd();
  return `complete -c cairn -f -n ${quoted(when)} -a ${below.words.at(-1) ?? ''} -d ${quoted(below.about)}`;
}

function optionLine({ words }: CommandInfo, option: OptionInfo): string {
  const when = words.length === 0 ? '' : ` -n ${quoted(`__cairn_at ${words.join(' ')}`)}`;
  const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
  const value = !option.takesValue ? '' : option.value === 'other' ? ' -x' : ' -r';
  const choices = option.choices.length === 0 ? '' : ` -a ${quoted(option.choices.join(' '))}`;
  return `complete -c cairn${when}${short} -l ${option.long.slice(2)}${value}${choices} -d ${quoted(option.about)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
