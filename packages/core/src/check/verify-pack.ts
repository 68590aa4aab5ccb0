import type { Capabilities } from '../crypto/capabilities.ts';
import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { invariant, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { decodePackHeader, PACK_KIND, PACK_RECORD_BYTES, readPackRecord, type PackHeader } from '../pack/layout.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { headerDigest } from './listing-digest.ts';

/** Garbage that may pile up before it is collected. */
const RELIEVE_BYTES = 8 * 1024 * 1024;

/** The secrets that checking packs takes; without those of a class, its chunks are not opened. */
export type VerifierKeys = Pick<
  Capabilities,
  'repo' | 'pkD' | 'pkM' | 'psk' | 'skD' | 'skM' | 'idData' | 'idMeta' | 'loc'
>;

/** The part of a key that a verifier is given. */
export function verifierKeys(keys: Capabilities): VerifierKeys {
  const { repo, pkD, pkM, psk, skD, skM, idData, idMeta, loc } = keys;
  const secrets = { psk, skD, skM, idData, idMeta, loc };
  const present = Object.fromEntries(Object.entries(secrets).filter(([, secret]) => secret !== undefined));
  return { repo, pkD, pkM, ...present };
}

/** What is wrong with a pack, or what was seen in it. */
export interface PackVerdict {
  /** SHA-256 of the object is its name. */
  readonly hashFits: boolean;
  /** As `headerDigest`; undefined when the header cannot be opened. */
  readonly digest: string | undefined;
  /** Why the header cannot be opened. */
  readonly headerFailure: string | undefined;
  readonly opened: number;
  /** Chunks that the key cannot open. */
  readonly unopened: number;
  /** Where the chunks are that do not open, from the start of the object. */
  readonly damaged: readonly number[];
}

/** Checks whole packs: their names, headers and every chunk that the keys can open. */
export class PackVerifier {
  private readonly suite: CryptoSuite;
  private readonly keys: VerifierKeys & { readonly loc: Uint8Array };
  private readonly opener: ChunkOpener;
  private readonly opens: { readonly data: boolean; readonly meta: boolean };
  private readonly relieve: () => void;
  private openedBytes = 0;

  /** @param relieve called after every few megabytes of opened chunks, each of which left as much garbage. */
  constructor(suite: CryptoSuite, zstd: Zstd, keys: VerifierKeys, relieve: () => void = () => undefined) {
    const { loc, psk, skD, skM, idData, idMeta } = keys;
    invariant(loc !== undefined, 'every key file can open pack headers');
    this.suite = suite;
    this.relieve = relieve;
    this.keys = { ...keys, loc };
    this.opener = new ChunkOpener(suite, zstd, keys);
    this.opens = {
      data: psk !== undefined && skD !== undefined && idData !== undefined,
      meta: psk !== undefined && skM !== undefined && idMeta !== undefined,
    };
  }

  /** Never rejects for what is in the object. */
  verify(name: string, object: Uint8Array): PackVerdict {
    const hashFits = toHex(this.suite.sha256(object)) === name;
    let header: PackHeader;
    try {
      header = decodePackHeader(this.suite, this.keys, object, object.length, `pack ${name}`);
    } catch (error) {
      if (!isCairnError(error)) throw error;
      return { hashFits, digest: undefined, headerFailure: error.message, opened: 0, unopened: 0, damaged: [] };
    }
    const chunks = this.openChunks(header, object);
    return { hashFits, digest: headerDigest(header), headerFailure: undefined, ...chunks };
  }

  private openChunks(
    { kind, sessions, records, dataStart }: PackHeader,
    object: Uint8Array,
  ): Pick<PackVerdict, 'opened' | 'unopened' | 'damaged'> {
    const count = records.length / PACK_RECORD_BYTES;
    const mayOpen = kind === PACK_KIND.data ? this.opens.data : this.opens.meta;
    if (!mayOpen) return { opened: 0, unopened: count, damaged: [] };
    const damaged: number[] = [];
    for (let i = 0; i < count; i++) {
      const { type, id, session, offset, storedLength, rawLength } = readPackRecord(records, i);
      const at = dataStart + offset;
      const of = sessions[session];
      invariant(of !== undefined, 'the header was checked when it was decoded');
      try {
        const plaintext = this.opener.open(type, id, of, object.subarray(at, at + storedLength));
        if (plaintext.length !== rawLength) damaged.push(at);
        this.count(storedLength + plaintext.length);
      } catch (error) {
        if (!isCairnError(error, 'CORRUPT')) throw error;
        damaged.push(at);
      }
    }
    return { opened: count - damaged.length, unopened: 0, damaged };
  }

  private count(bytes: number): void {
    this.openedBytes += bytes;
    if (this.openedBytes < RELIEVE_BYTES) return;
    this.openedBytes = 0;
    this.relieve();
  }
}
