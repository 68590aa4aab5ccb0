import { allCommands, optionsOf, type CommandInfo } from './command-tree.ts';

/** A completion script for zsh. */
export function zshCompletion(root: CommandInfo): string {
  const commands = allCommands(root);
  return `#compdef cairn
# zsh completion for cairn; put it as _cairn into a directory of $fpath.
_cairn() {
  local command='' word
  local -a verbs options
  for word in \${words[2,CURRENT-1]}; do
    case "$command $word" in
${commands
  .filter(({ words }) => words.length > 0)
  .map(({ words }) => `      ' ${words.join(' ')}') command=' ${words.join(' ')}' ;;`)
  .join('\n')}
    esac
  done
  case "$command" in
${commands.map((command) => caseOf(command, root)).join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe -o 'option' options
  elif ((\${#verbs})); then
    _describe 'command' verbs
  else
    _files
  fi
}
compdef _cairn cairn
`;
}

function caseOf(command: CommandInfo, root: CommandInfo): string {
  const verbs = command.below.map((below) => quoted(`${below.words.at(-1) ?? ''}:${below.about}`));
  const options = optionsOf(command, root).map(({ long, about }) => quoted(`${long}:${about}`));
  return `    '${command.words.map((word) => ` ${word}`).join('')}')
      verbs=(${verbs.join(' ')})
      options=(${options.join(' ')}) ;;`;
}

/** In single quotes, with colons of the description kept apart from the one that begins it. */
function quoted(text: string): string {
  const [name = '', ...rest] = text.split(':');
  return `'${[name, rest.join('\\:')].join(':').replaceAll("'", "'\\''")}'`;
}
