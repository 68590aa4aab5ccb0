// @ts-check
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deriveCapabilities, fingerprintOf, restrict } from '../../packages/core/dist/crypto/capabilities.js';
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { systemEnvironment } from '../../packages/core/dist/host/environment.js';
import { encodeKeyFileText } from '../../packages/core/dist/keys/key-file.js';
import { paperLines } from '../../packages/core/dist/keys/paper.js';
import { createPassphraseSlot } from '../../packages/core/dist/keys/passphrase-slot.js';
import { encodeRecoveryKey } from '../../packages/core/dist/keys/recovery.js';
import { encodeSlot } from '../../packages/core/dist/keys/slot.js';
import { CHUNKER_DATA, CHUNKER_TREE } from '../../packages/core/dist/limits.js';
import { RepositoryAccess } from '../../packages/core/dist/repository/access.js';
import { encodeConfig } from '../../packages/core/dist/repository/config.js';
import { DirectoryStore } from '../../packages/core/dist/stores/directory.js';
import { memoryClientState } from '../../packages/core/dist/testing/archive-builder.js';
import { ArchiveView } from '../../packages/core/dist/tree/archive-view.js';
import { backup } from '../../packages/core/dist/verbs/backup.js';

/** @typedef {import('../../packages/core/dist/crypto/capabilities.js').Capabilities} Capabilities */
/** @typedef {import('../../packages/core/dist/chunker/fastcdc.js').ChunkerParameters} ChunkerParameters */
/** @typedef {{ name: string, hidden?: boolean, partial?: boolean, files: Record<string, object> }} ExpectedArchive */
/** @typedef {{ outcome: 'ok' | 'damaged', opens?: boolean, fromPacks?: boolean, archives: readonly ExpectedArchive[] }} Expected */
/** @typedef {'root' | 'read' | 'recovery' | 'paper'} KeyForm */

/** 2026-11-21T08:15:02.000000007Z */
const FIRST_RUN = 1_795_248_902_000_000_007n;
const DAY = 86_400_000_000_000n;
const CHEAP_KDF = { memoryKiB: 64, passes: 1, lanes: 2 };

/** A repository of the museum while it is made. */
export class Museum {
  #runs = 0n;

  /** @param {string} folder @param {Capabilities} keys @param {DirectoryStore} store */
  constructor(folder, keys, store) {
    this.folder = folder;
    this.keys = keys;
    this.store = store;
    const { random, clock } = systemEnvironment;
    // Each run is a day later than the one before; within a run time stands still.
    this.environment = { random, clock: { ...clock, nowNs: () => FIRST_RUN + this.#runs * DAY } };
  }

  /**
   * @param {string} folder replaced
   * @param {{ data?: ChunkerParameters, tree?: ChunkerParameters }} [chunkers]
   */
  static async create(folder, chunkers = {}) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { random } = systemEnvironment;
    const keys = deriveCapabilities(nodeSuite, random.bytes(32), random.bytes(16));
    const museum = new Museum(folder, keys, await DirectoryStore.create(path.join(folder, 'repo')));
    const config = encodeConfig(nodeSuite, museum.secret('log'), {
      repo: keys.repo,
      fingerprint: fingerprintOf(nodeSuite, keys),
      createdNs: FIRST_RUN,
      features: [],
      chunkerData: chunkers.data ?? CHUNKER_DATA,
      chunkerTree: chunkers.tree ?? CHUNKER_TREE,
    });
    await museum.store.put({ kind: 'config', name: 'config' }, config);
    await museum.#putSlot();
    return museum;
  }

  /** @param {'log' | 'loc'} name */
  secret(name) {
    const secret = this.keys[name];
    if (secret === undefined) throw new Error('a root key has everything');
    return secret;
  }

  async #putSlot() {
    const options = { label: 'museum', createdNs: FIRST_RUN, kdf: CHEAP_KDF, kdfFloor: CHEAP_KDF };
    const read = restrict(this.keys, 'read');
    const slot = await createPassphraseSlot(nodeSuite, this.environment.random, read, Buffer.from('museum'), options);
    await this.store.put({ kind: 'keys', name: slot.uid }, encodeSlot(slot));
  }

  access() {
    const { store, keys, environment } = this;
    return RepositoryAccess.open({ store, keys, environment, suite: nodeSuite, clientState: memoryClientState() });
  }

  /** Backs up as programs do; the archive's record. @param {string} source */
  async backup(source) {
    const options = { paths: [source], series: 'home', host: 'host', user: 'user', threads: 0, program: 'cairn 0.1.0' };
    const report = await backup(await this.access(), options);
    if (report.problems.length > 0) throw new Error(`not backed up whole: ${JSON.stringify(report.problems)}`);
    this.#runs += 1n;
    return report.archive;
  }

  /** The content of a file or directory. @param {import('../../packages/core/dist/log/state.js').ArchiveRecord} archive @param {string} file */
  async contentOf(archive, file) {
    const { content } = await new ArchiveView(await (await this.access()).chunkReader(), archive).entry(file);
    if (content === null) throw new Error(`${file} has no content`);
    return content;
  }

  /** Appends to the log, a day later than what was before. @param {import('../../packages/core/dist/log/kinds.js').LogEntry} entry */
  async append(entry) {
    await (await this.access()).log.append(() => entry);
    this.#runs += 1n;
  }

  /** Names of all objects of a kind, in order. @param {'packs' | 'index' | 'log' | 'keys'} kind */
  async names(kind) {
    /** @type {string[]} */
    const names = [];
    for await (const { name } of this.store.list(kind)) names.push(name);
    return names.sort();
  }

  /** @param {'config' | 'packs' | 'index' | 'log'} kind @param {string} name */
  pathOf(kind, name) {
    const parts = kind === 'config' ? [] : kind === 'packs' ? [kind, name.slice(0, 2)] : [kind];
    return path.join(this.folder, 'repo', ...parts, name);
  }

  /** Changes an object behind the program's back. @param {string} file @param {(bytes: Buffer) => Uint8Array} change */
  damage(file, change) {
    writeFileSync(file, change(readFileSync(file)));
  }

  /** @param {KeyForm} form */
  #keyText(form) {
    if (form === 'recovery') return `${encodeRecoveryKey(nodeSuite, this.keys)}\n`;
    if (form === 'paper') return `${paperLines(nodeSuite, this.keys).join('\n')}\n`;
    return encodeKeyFileText(nodeSuite, restrict(this.keys, form), { label: `museum ${form}`, createdNs: FIRST_RUN });
  }

  /** Writes the key and what has to come out, and takes away the folders that git would not keep. @param {KeyForm} form @param {Expected} expected */
  finish(form, expected) {
    writeFileSync(path.join(this.folder, 'key.txt'), this.#keyText(form));
    writeFileSync(path.join(this.folder, 'expected.json'), `${JSON.stringify(expected, undefined, 1)}\n`);
    settle(path.join(this.folder, 'repo'));
  }
}

/** As git keeps a folder: without what is empty, and readable. @param {string} folder */
function settle(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) settle(name);
    else chmodSync(name, 0o644);
  }
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  else chmodSync(folder, 0o755);
}
