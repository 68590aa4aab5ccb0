import { Argument } from 'commander';

import { describeCommand } from '../completion/command-tree.ts';
import type { Verb } from '../verb.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export const completion: Verb = {
  define(command) {
    command
      .description('Print a script that completes commands and options in a shell.')
      .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
      .addHelpText('after', '\nExample:\n  cairn completion bash > /etc/bash_completion.d/cairn');
  },

  async run({ output }, { operands }) {
    const { loadAll, makeProgram } = await import('../program.ts');
    const program = makeProgram(async () => undefined);
    await loadAll(program);
    await output.line((await scriptFor(operands[0] as Shell))(describeCommand(program)).trimEnd());
  },
};

async function scriptFor(shell: Shell): Promise<(root: ReturnType<typeof describeCommand>) => string> {
  if (shell === 'zsh') return (await import('../completion/zsh.ts')).zshCompletion;
  if (shell === 'fish') return (await import('../completion/fish.ts')).fishCompletion;
  return (await import('../completion/bash.ts')).bashCompletion;
}
