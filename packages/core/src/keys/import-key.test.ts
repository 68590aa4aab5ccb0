import { describe, expect, it } from 'vitest';
import { fingerprintOf, restrict } from '../crypto/capabilities.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { isCairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { SAMPLE_KEYS, SAMPLE_TIME_NS } from '../testing/sample-keys.ts';
import { importKey } from './import-key.ts';
import { encodeKeyFileText } from './key-file.ts';
import { paperText } from './paper-page.ts';
import { paperLines } from './paper.ts';
import { recoveryText } from './recovery-text.ts';
import { encodeRecoveryKey } from './recovery.ts';

const SHEET = { capabilities: SAMPLE_KEYS, address: 'ssh://host/repository', createdNs: SAMPLE_TIME_NS };
const FINGERPRINT = Buffer.from(fingerprintOf(suite, SAMPLE_KEYS));

describe('importKey', () => {
  it('knows every form of a key', async () => {
    const given = [
      ['recovery key', encodeRecoveryKey(suite, SAMPLE_KEYS)],
      ['recovery key', encodeRecoveryKey(suite, SAMPLE_KEYS).toLowerCase().replaceAll('-', '\n')],
      ['recovery key', recoveryText(suite, SHEET)],
      ['paper', paperLines(suite, SAMPLE_KEYS).join('\n')],
      ['paper', await paperText(suite, SHEET)],
      ['key file', encodeKeyFileText(suite, SAMPLE_KEYS, { label: 'x', createdNs: SAMPLE_TIME_NS })],
    ] as const;
    for (const [form, text] of given) {
      const imported = importKey(suite, text);
      expect(imported.form).toBe(form);
      expect(Buffer.from(imported.fingerprint)).toEqual(FINGERPRINT);
      expect(Buffer.from(imported.capabilities.root ?? [])).toEqual(SAMPLE_KEYS.root);
      expect(imported.keyFile?.label).toBe(form === 'key file' ? 'x' : undefined);
    }
    const notes = { label: 'night', createdNs: SAMPLE_TIME_NS };
    const write = importKey(suite, encodeKeyFileText(suite, restrict(SAMPLE_KEYS, 'write'), notes));
    expect(write.capabilities.root).toBeUndefined();
    expect(write.keyFile).toMatchObject(notes);
  });

  it('says what to do with what is none', () => {
    const cases: [string, RegExp][] = [
      ['', /0 characters/],
      ['-----BEGIN PGP MESSAGE-----\n\nabc\n', /OpenPGP message/],
      [' {"cairn": 1}', /key slot/],
      ['1: 0000', /line 1: it is too short/],
      ['-----BEGIN CAIRN KEY-----', /cut off/],
    ];
    for (const [text, message] of cases) {
      expect(() => importKey(suite, text)).toThrow(message);
      expect(() => importKey(suite, text)).toThrow(expect.toSatisfy((error) => isCairnError(error)));
    }
    expect(() => importKey(suite, ' '.repeat(LIMITS.keyFileBytes + 1))).toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'LIMIT_EXCEEDED')),
    );
  });
});
