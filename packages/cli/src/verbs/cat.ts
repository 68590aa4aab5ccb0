import { pathBytes } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import { pathArgument } from '../path-argument.ts';
import { throwIfStopped } from '../signals.ts';
import type { Verb } from '../verb.ts';

export const cat: Verb = {
  define(command) {
    command
      .description('Write the content of one file of an archive to standard output.')
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('<path>', 'path of a file in the archive')
      .addHelpText('after', '\nExample:\n  cairn cat -r /backup/repo latest /etc/fstab');
  },

  async run({ output, signal, ...context }, { operands }) {
    const [ref = '', path = ''] = operands;
    await withRepository({ ...context, output, signal }, async ({ repository }) => {
      const view = await repository.view(ref);
      for await (const piece of view.read(pathBytes(pathArgument(path)))) {
        throwIfStopped(signal);
        await output.bytes(piece);
      }
    });
  },
};
