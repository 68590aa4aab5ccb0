import {
  CairnError,
  createKeyFile,
  describeRights,
  encodeKeyFileText,
  formatFingerprint,
  nodeSuite,
  restrict,
  systemEnvironment,
} from '@cairn/core';
import { Option } from 'commander';
import { resolve } from 'node:path';

import { keyAtHand } from '../keys/key-at-hand.ts';
import { writeSecret } from '../keys/write-secret.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

const ISSUED = ['read', 'maintain', 'write'] as const;

interface IssueOptions {
  readonly rights: (typeof ISSUED)[number];
  readonly output: string;
  readonly label?: string;
}

export const keyIssue: Verb = {
  define(command) {
    command
      .description('Make a key file with fewer rights than the key at hand.')
      .addOption(new Option('--rights <rights>', 'what the new key can do').choices(ISSUED).makeOptionMandatory())
      .requiredOption('-o, --output <file>', 'the new key file, readable for you only; - for standard output')
      .option('--label <text>', 'label of the new key')
      .addHelpText(
        'after',
        '\nExample:\n  cairn key issue -r /backup/repo --rights write --output web1.key --label web1',
      );
  },

  async run(context, { options }) {
    const { rights, output, label = `${rights} key` } = options as unknown as IssueOptions;
    const { keyFile } = await keyAtHand(context);
    const capabilities = restrict(keyFile.capabilities, rights);
    const text = encodeKeyFileText(nodeSuite, capabilities, { label, createdNs: systemEnvironment.clock.nowNs() });
    if (output === '-') {
      if (context.json) throw new CairnError('USAGE', 'a key on standard output is no JSON', { hint: 'Name a file.' });
      await writeSecret(context, output, text);
      return;
    }
    const path = resolve(output);
    await createKeyFile(nodeSuite, path, text);
    const fingerprint = formatFingerprint(keyFile.fingerprint);
    if (context.json) {
      await context.output.line(
        JSON.stringify({ key_file: path, rights: describeRights(capabilities), fingerprint, label }),
      );
      return;
    }
    await context.output.line('The key is made.');
    for (const line of formatFacts([
      ['rights', rights],
      ['fingerprint', fingerprint],
      ['key file', path],
    ])) {
      await context.output.line(line);
    }
  },
};
