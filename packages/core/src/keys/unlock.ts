import { CairnError, isCairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { formatFingerprint } from './fingerprint.ts';
import type { KeyFile } from './key-file.ts';
import { tryPassphraseSlot } from './passphrase-slot.ts';
import type { PassphraseSlot, Slot } from './slot.ts';

/** A slot that could not be tried to the end. */
export interface SlotFailure {
  readonly uid: string;
  readonly error: CairnError;
}

/** What a passphrase opened. */
export interface Unlocked {
  readonly slot: PassphraseSlot;
  readonly keyFile: KeyFile;
  /** Slots that failed before the right one was found: damaged, or beyond this machine. Not those of other passphrases. */
  readonly failures: readonly SlotFailure[];
}

/**
 * Tries a passphrase on every passphrase slot, the cheapest first: a hostile store cannot hide the right slot behind an
 * expensive one. Rejects with `WRONG_KEY` when it opens none, or there is none.
 */
export async function unlock(suite: CryptoSuite, slots: readonly Slot[], passphrase: Uint8Array): Promise<Unlocked> {
  const candidates = slots
    .filter((slot) => slot.kind === 'passphrase')
    .sort((a, b) => a.kdf.memoryKiB * a.kdf.passes - b.kdf.memoryKiB * b.kdf.passes);
  const failures: SlotFailure[] = [];
  for (const slot of candidates) {
    try {
      const keyFile = await tryPassphraseSlot(suite, slot, passphrase);
      if (keyFile !== undefined) return { slot, keyFile, failures };
    } catch (error) {
      if (!isCairnError(error) || error.code === 'INTERNAL') throw error;
      failures.push({ uid: slot.uid, error });
    }
  }
  throw none(candidates.length, failures);
}

function none(tried: number, failures: readonly SlotFailure[]): CairnError {
  if (tried === 0) {
    return new CairnError('WRONG_KEY', 'there is no key slot that a passphrase opens', {
      hint: 'Use a key file, an OpenPGP slot or the recovery key.',
    });
  }
  const failed = failures.map(({ error }) => `; ${error.message}`).join('');
  return new CairnError('WRONG_KEY', `the passphrase opens none of ${tried} key slots${failed}`, {
    hint: 'Check the keyboard layout and try again, or use a key file or the recovery key.',
    ...(failures[0] === undefined ? {} : { cause: failures[0].error }),
  });
}

/**
 * Whether a key file that came out of a slot of a store may be used: anybody can put a slot there. With a pinned
 * fingerprint it must be that one, else this rejects with `WRONG_KEY`. Without, the answer is `unconfirmed`: show the
 * fingerprint to a person, and use the key only after they compared it.
 */
export function acceptSlotKey(keyFile: KeyFile, pinnedFingerprint: Uint8Array | undefined): 'accepted' | 'unconfirmed' {
  if (pinnedFingerprint === undefined) return 'unconfirmed';
  if (Buffer.compare(keyFile.fingerprint, pinnedFingerprint) === 0) return 'accepted';
  throw new CairnError(
    'WRONG_KEY',
    `the key slot holds the key ${formatFingerprint(keyFile.fingerprint)}, but this client knows the repository by ` +
      `${formatFingerprint(pinnedFingerprint)}`,
    { hint: 'Somebody may have put the slot there. Do not use it; use your key file or the recovery key.' },
  );
}
