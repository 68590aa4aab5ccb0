import { type Capabilities, fingerprintOf } from '../crypto/capabilities.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { type KeyFile, parseKeyFileText } from './key-file.ts';
import { parsePaper } from './paper.ts';
import { parseRecoveryKey, RECOVERY_BEGIN } from './recovery.ts';

/** A key given as text, in whichever form it was. */
export interface ImportedKey {
  readonly form: 'key file' | 'recovery key' | 'paper';
  readonly capabilities: Capabilities;
  readonly fingerprint: Uint8Array;
  /** Label and time, which only a key file has. */
  readonly keyFile?: KeyFile;
}

/**
 * Reads a key from text: a key file, the recovery key or the sheet with it, the paper form or its lines. Rejects with
 * `USAGE` when it is something else, and as the reader of the form that it seems to be does.
 */
export function importKey(suite: CryptoSuite, text: string): ImportedKey {
  if (Buffer.byteLength(text) > LIMITS.keyFileBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `a key is at most ${LIMITS.keyFileBytes} bytes of text`);
  }
  if (text.includes('-----BEGIN CAIRN KEY-----')) {
    const keyFile = parseKeyFileText(suite, text);
    return { form: 'key file', capabilities: keyFile.capabilities, fingerprint: keyFile.fingerprint, keyFile };
  }
  if (text.includes(RECOVERY_BEGIN)) return root(suite, 'recovery key', parseRecoveryKey(suite, text));
  if (text.includes('-----BEGIN PGP ')) {
    throw new CairnError('USAGE', 'this is an OpenPGP message, not a key', {
      hint: 'Decrypt it first with `gpg --decrypt` and import what comes out.',
    });
  }
  if (text.trimStart().startsWith('{')) {
    throw new CairnError('USAGE', 'this is a key slot, not a key', {
      hint: 'Unlock it with its passphrase, or decrypt its message with `gpg --decrypt`.',
    });
  }
  if (/^\s*\d{1,3}\s*:/m.test(text)) return root(suite, 'paper', parsePaper(suite, text));
  return root(suite, 'recovery key', parseRecoveryKey(suite, text));
}

function root(suite: CryptoSuite, form: ImportedKey['form'], capabilities: Capabilities): ImportedKey {
  return { form, capabilities, fingerprint: fingerprintOf(suite, capabilities) };
}
