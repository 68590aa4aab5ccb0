import { allCommands, optionsOf, type CommandInfo, type OptionInfo } from './command-tree.ts';

/** A completion script for bash. */
export function bashCompletion(root: CommandInfo): string {
  const commands = allCommands(root);
  const options = commands.flatMap((command) => command.options);
  const valued = options.filter((option) => option.takesValue);
  const named = (kind: OptionInfo['value']): string => patternOf(valued.filter((option) => option.value === kind));
  const choices = valued.filter((option) => option.choices.length > 0);
  return `# bash completion for cairn; put it into /etc/bash_completion.d, or source it.
_cairn() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} words='' command='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command \${COMP_WORDS[i]}" in
${commands
  .filter(({ words }) => words.length > 0)
  .map(({ words }) => `      ' ${words.join(' ')}') command=' ${words.join(' ')}' ;;`)
  .join('\n')}
    esac
  done
  case "$prev" in
    ${named('file')}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    ${named('directory')}) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
${choices
  .map(
    ({ long, choices: values }) =>
      `    ${long}) mapfile -t COMPREPLY < <(compgen -W '${values.join(' ')}' -- "$cur"); return ;;`,
  )
  .join('\n')}
    ${patternOf(valued.filter((option) => option.value === 'other' && option.choices.length === 0))}) return ;;
  esac
  case "$command" in
${commands.map((command) => `    '${pathOf(command)}') words='${wordsOf(command, root).join(' ')}' ;;`).join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -o bashdefault -F _cairn cairn
`;
}

function pathOf({ words }: CommandInfo): string {
  return words.map((word) => ` ${word}`).join('');
}

function wordsOf(command: CommandInfo, root: CommandInfo): string[] {
  return [
    ...command.below.map((below) => below.words.at(-1) ?? ''),
    ...optionsOf(command, root).map((option) => option.long),
    '--help',
  ];
}

function patternOf(options: readonly OptionInfo[]): string {
  const names = options.flatMap(({ long, short }) => (short === undefined ? [long] : [short, long]));
  return [...new Set(names)].join(' | ');
}
