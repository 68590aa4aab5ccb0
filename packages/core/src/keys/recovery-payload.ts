import { type Capabilities, deriveCapabilities } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { CairnError, invariant } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { wipe } from './wipe.ts';

const VERSION = 1;
const CHECK_AT = 49;

/** Bytes of the root key in a form for people: version 1, repository uid 16, root key 32, check 4. */
export const RECOVERY_BYTES = 53;

/** What the recovery key and the paper form write out. The caller wipes it. Rejects with `RIGHT_MISSING` without root key. */
export function recoveryPayload(suite: CryptoSuite, capabilities: Capabilities): Buffer {
  if (capabilities.root === undefined) {
    throw new CairnError('RIGHT_MISSING', 'a recovery key cannot be made from this key: it lacks the root key', {
      hint: 'Use the root key file.',
    });
  }
  const payload = Buffer.alloc(RECOVERY_BYTES);
  payload[0] = VERSION;
  payload.set(capabilities.repo, 1);
  payload.set(capabilities.root, 17);
  payload.set(checkOf(suite, payload), CHECK_AT);
  return payload;
}

/**
 * Everything that follows from such bytes. Wipes them. Rejects with `CORRUPT` when the check does not fit, and with
 * `FORMAT_UNSUPPORTED` for another version.
 */
export function readRecoveryPayload(suite: CryptoSuite, payload: Buffer): Capabilities {
  invariant(payload.length === RECOVERY_BYTES, `a recovery payload has ${RECOVERY_BYTES} bytes`);
  try {
    if (!payload.subarray(CHECK_AT).equals(checkOf(suite, payload))) {
      throw new CairnError('CORRUPT', 'the recovery key does not read: its check does not fit, something is mistyped', {
        hint: 'Compare every character with what was printed; the paper form says which line is wrong.',
      });
    }
    if (payload[0] !== VERSION) {
      throw new CairnError(
        'FORMAT_UNSUPPORTED',
        `the recovery key has version ${payload[0]}; this program reads ${VERSION}`,
        { hint: 'Use a newer program.' },
      );
    }
    return deriveCapabilities(
      suite,
      Uint8Array.from(payload.subarray(17, 49)),
      Uint8Array.from(payload.subarray(1, 17)),
    );
  } finally {
    wipe(payload);
  }
}

function checkOf(suite: CryptoSuite, payload: Uint8Array): Uint8Array {
  return suite.sha256(label('recovery key'), payload.subarray(0, CHECK_AT)).subarray(0, RECOVERY_BYTES - CHECK_AT);
}
