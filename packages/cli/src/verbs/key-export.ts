import {
  CairnError,
  encodeRecoveryKey,
  nodeSuite,
  paperHtml,
  paperText,
  qrTerminal,
  recoveryText,
  systemEnvironment,
  type RecoverySheet,
} from '@cairn/core';

import type { Context } from '../context.ts';
import { keyAtHand } from '../keys/key-at-hand.ts';
import { writeSecret } from '../keys/write-secret.ts';
import { repositoryPlace, shownPlace } from '../open-repository.ts';
import type { Verb } from '../verb.ts';

interface ExportOptions {
  readonly paper?: boolean;
  readonly html?: boolean;
  readonly qr?: boolean;
  readonly output?: string;
  readonly address?: string;
}

export const keyExport: Verb = {
  define(command) {
    command
      .description(
        'Write the recovery key: one text that needs nothing else to restore everything. Whoever has it ' +
          'can read all backups. Needs the root key.',
      )
      .option('--paper', 'the paper form: numbered lines to type, each with its own check, and a QR code')
      .option('--html', 'the paper form as a page to print from a browser')
      .option('--qr', 'only the QR code, for the camera of a phone')
      .option('-o, --output <file>', 'a new file, readable for you only; standard output when not given')
      .option('--address <text>', 'where the repository is, for who finds the sheet; no passwords in it')
      .addHelpText('after', '\nExample:\n  cairn key export -r /backup/repo --paper --output recovery.txt');
  },

  async run(context, { options }) {
    const { output, address, ...form } = options as ExportOptions;
    const { keyFile } = await keyAtHand(context);
    const sheet = {
      capabilities: keyFile.capabilities,
      address: address ?? addressOf(context),
      createdNs: systemEnvironment.clock.nowNs(),
    };
    if (context.json) {
      const recoveryKey = encodeRecoveryKey(nodeSuite, sheet.capabilities);
      await writeSecret(context, output, `${JSON.stringify({ recovery_key: recoveryKey, address: sheet.address })}\n`);
      return;
    }
    await writeSecret(context, output, await textOf(sheet, form, output === undefined && context.output.isTerminal));
  },
};

/** The repository's place, when one is set. */
function addressOf(context: Context): string {
  return context.settings.find('repository') === undefined ? '(not given)' : shownPlace(repositoryPlace(context));
}

async function textOf(sheet: RecoverySheet, form: ExportOptions, colour: boolean): Promise<string> {
  const { paper, html, qr } = form;
  if ([paper, html, qr].filter(Boolean).length > 1) {
    throw new CairnError('USAGE', '--paper, --html and --qr are different forms', { hint: 'Choose one.' });
  }
  if (paper === true) return await paperText(nodeSuite, sheet);
  if (html === true) return await paperHtml(nodeSuite, sheet);
  if (qr === true) return await qrTerminal(encodeRecoveryKey(nodeSuite, sheet.capabilities), colour);
  return recoveryText(nodeSuite, sheet);
}
