import type { Command } from 'commander';

export interface OptionInfo {
  /** With its dashes, as `--series`. */
  readonly long: string;
  readonly short: string | undefined;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  /** What the value is: files and directories are completed by the shell. */
  readonly value: 'file' | 'directory' | 'other';
  readonly about: string;
}

/** A command line without its behaviour. */
export interface CommandInfo {
  /** The words after `cairn`; empty for the whole. */
  readonly words: readonly string[];
  readonly about: string;
  readonly options: readonly OptionInfo[];
  readonly below: readonly CommandInfo[];
}

/** Describes a program of commander whose commands are all defined. */
export function describeCommand(command: Command, words: readonly string[] = []): CommandInfo {
  return {
    words,
    about: command.description(),
    options: command.options.map((option) => ({
      long: option.long ?? '',
      short: option.short,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
      value: option.flags.includes('<file>') ? 'file' : option.flags.includes('<directory>') ? 'directory' : 'other',
      about: option.description,
    })),
    below: command.commands.map((one) => describeCommand(one, [...words, one.name()])),
  };
}

/** The command and all below it, from the top. */
export function allCommands(info: CommandInfo): readonly CommandInfo[] {
  return [info, ...info.below.flatMap(allCommands)];
}

/** Options of a command with those of the whole program, which every command takes. */
export function optionsOf(info: CommandInfo, root: CommandInfo): readonly OptionInfo[] {
  return info === root ? root.options : [...info.options, ...root.options];
}
