import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { deriveCapabilities, fingerprintOf, type Capabilities, type Rights } from '../../dist/crypto/capabilities.js';
import {
  clientFiles,
  DirectoryStore,
  encodeKeyFileText,
  fromUtf8,
  nodeSuite,
  Repository,
  restrict,
  systemEnvironment,
  type ArchiveRecord,
  type BackupReport,
  type Environment,
  type ObjectStore,
  type RestoreReport,
} from '../../dist/index.js';
import { CHUNKER_DATA, CHUNKER_TREE } from '../../dist/limits.js';
import { encodeConfig } from '../../dist/repository/config.js';
import { compareTrees, type CompareOptions } from '../../dist/testing/compare-trees.js';
import { removeTree } from '../../dist/testing/remove-tree.js';
import { mountMemory } from './memory-mount.js';

export interface Chunkers {
  readonly data: typeof CHUNKER_DATA | Readonly<Record<'min' | 'average' | 'max', number>>;
  readonly tree: typeof CHUNKER_TREE | Readonly<Record<'min' | 'average' | 'max', number>>;
}

/** With these a file of some hundred kilobytes has chunk lists, and a directory of some hundred entries several chunks. */
export const SMALL_CHUNKS: Chunkers = {
  data: { min: 1024, average: 2048, max: 8192 },
  tree: { min: 1024, average: 4096, max: 16_384 },
};

const NS_PER_S = 1_000_000_000n;

/** Files made just now look older than the rule for racy files asks to a repository whose clock is so far ahead. */
const AHEAD_S = 60;

/** This machine's environment with a clock that is some seconds ahead. */
export function environmentAhead(seconds: number): Environment {
  const { clock, random } = systemEnvironment;
  return {
    clock: { nowNs: () => clock.nowNs() + BigInt(seconds) * NS_PER_S, monotonicMs: () => clock.monotonicMs() },
    random,
  };
}

export interface OpenOptions {
  /** `root` unless given. */
  readonly rights?: Rights;
  /** Seconds that the clock is ahead; 60 unless given. */
  readonly aheadS?: number;
  /** Keep trees and the remembered head in `state` and `cache` of the scratch directory. */
  readonly remember?: boolean;
  /** In the place of the directory store. */
  readonly store?: ObjectStore;
}

/** A directory with a source, a repository in a directory store, and room for what is restored. */
export class BackupScratch implements Disposable {
  readonly directory: string;
  readonly source: string;
  readonly storePath: string;
  readonly keys: Capabilities;
  private readonly mounted: boolean;
  private restores = 0;

  private constructor(directory: string, mounted: boolean, keys: Capabilities) {
    this.directory = directory;
    this.mounted = mounted;
    this.source = join(directory, 'source');
    this.storePath = join(directory, 'repository');
    this.keys = keys;
  }

  /** @param inMemory on a file system in memory, where one can be mounted: to make and remove a great many files. */
  static async create(
    chunkers: Chunkers = { data: CHUNKER_DATA, tree: CHUNKER_TREE },
    inMemory = false,
  ): Promise<BackupScratch> {
    const { random, clock } = systemEnvironment;
    const keys = deriveCapabilities(nodeSuite, random.bytes(32), random.bytes(16));
    const directory = mkdtempSync(join(tmpdir(), 'cairn-backup-'));
    const scratch = new BackupScratch(directory, inMemory && mountMemory(directory, '4g'), keys);
    mkdirSync(scratch.source);
    const store = await DirectoryStore.create(scratch.storePath);
    const config = encodeConfig(nodeSuite, keys.log ?? new Uint8Array(), {
      repo: keys.repo,
      fingerprint: fingerprintOf(nodeSuite, keys),
      createdNs: clock.nowNs(),
      features: [],
      chunkerData: chunkers.data,
      chunkerTree: chunkers.tree,
    });
    await store.put({ kind: 'config', name: 'config' }, config);
    return scratch;
  }

  [Symbol.dispose](): void {
    if (this.mounted) execFileSync('umount', [this.directory]);
    removeTree(fromUtf8(this.directory));
  }

  async open({ rights = 'root', aheadS = AHEAD_S, remember = false, store }: OpenOptions = {}): Promise<Repository> {
    return await Repository.open(store ?? (await DirectoryStore.open(this.storePath)), {
      keys: restrict(this.keys, rights),
      environment: environmentAhead(aheadS),
      ...(remember ? clientFiles({ state: this.path('state'), cache: this.path('cache') }) : {}),
    });
  }

  /** Of the scratch directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Of the source. */
  in(...names: string[]): string {
    return join(this.source, ...names);
  }

  keyFile(rights: Rights = 'root'): string {
    const path = this.path(`${rights}.key`);
    const notes = { label: 'test', createdNs: systemEnvironment.clock.nowNs() };
    writeFileSync(path, encodeKeyFileText(nodeSuite, restrict(this.keys, rights), notes), { mode: 0o600 });
    return path;
  }

  /** Makes the repository belong to another user. */
  giveStoreTo(uid: number): void {
    const names = readdirSync(this.storePath, { recursive: true, encoding: 'utf8' });
    for (const name of ['', ...names]) chownSync(join(this.storePath, name), uid, uid);
  }

  /** Restores the whole archive as root would, and gives where its source is then. */
  async restore(
    repository: Repository,
    archive: ArchiveRecord,
    threads = 0,
  ): Promise<{ readonly restored: string; readonly report: RestoreReport }> {
    this.restores += 1;
    const target = this.path(`restored-${this.restores}`);
    const report = await repository.restore(archive, target, { privileged: true, threads });
    return { restored: `${target}${this.source}`, report };
  }

  /** What differs between the source and the archive restored. */
  async differences(
    repository: Repository,
    { archive }: BackupReport,
    options: CompareOptions = {},
  ): Promise<string[]> {
    const { restored, report } = await this.restore(repository, archive);
    const problems = report.problems.map((problem) => problem.message);
    return [...problems, ...compareTrees(fromUtf8(this.source), fromUtf8(restored), { sparse: true, ...options })];
  }
}

/** The bytes of a file in an archive. */
export async function contentOf(repository: Repository, archive: ArchiveRecord, path: string): Promise<Buffer> {
  const view = await repository.view(archive);
  const parts: Uint8Array[] = [];
  for await (const part of view.read(fromUtf8(path))) parts.push(part);
  return Buffer.concat(parts);
}

/** The ids of what the archive has at `path`, as text: equal means equal in everything that a tree keeps. */
export async function contentIds(repository: Repository, archive: ArchiveRecord, path: string): Promise<string> {
  const entry = await (await repository.view(archive)).entry(fromUtf8(path));
  return `${entry.content?.level} ${entry.content?.records.toString('hex')}`;
}
