import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type {
  ArchiveRecord,
  Capabilities,
  CompactOptions,
  Environment,
  MemoryStore,
  ObjectStore,
  Repository,
} from '../../../dist/index.js';
import type { LogEntry } from '../../../dist/log/kinds.js';
import type { MemoryObject } from '../../../dist/stores/memory.js';
import { seededRandom } from '../../../dist/testing/sample-keys.js';
import { Actor, type Operation } from './actor.js';
import type { Core } from './core-copy.js';
import { Intruder } from './intruder.js';

export const DAY_MS = 86_400_000;

/** Directories to back up, named by the files in them: `ab` has the files `a` and `b`. Made once for all worlds. */
export class Sources implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'cairn-states-'));

  /** Path of the source with these files, each a letter. */
  of(files: string): string {
    const path = join(this.directory, files);
    mkdirSync(path, { recursive: true });
    for (const file of files) {
      writeFileSync(join(path, file), contentOf(file));
      utimesSync(join(path, file), 1_600_000_000, 1_600_000_000);
    }
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** Of the file named by that letter. */
export function contentOf(file: string): string {
  return file.repeat(600 + file.charCodeAt(0));
}

/** Whether a call writes into a slot of the log, as it should or not. */
export const isAppend = ({ call, kind }: Operation): boolean => kind === 'log' && (call === 'put' || call === 'delete');

/** A repository in memory, and clients of it whose steps are mixed by the test. */
export class World {
  readonly objects = new Map<string, MemoryObject>();
  readonly store: MemoryStore;
  private readonly core: Core;
  private readonly sources: Sources;
  private readonly environment: Environment;
  private readonly time = { ms: Date.UTC(2026, 10, 21, 8) };
  private readonly everPut = new Map<string, MemoryObject>();
  /** Packs of which it is known that they are damaged. */
  readonly junk = new Set<string>();
  private keys: Capabilities | undefined;
  private clients = 0;

  private constructor(core: Core, sources: Sources, seed: string) {
    this.core = core;
    this.sources = sources;
    const clock = { nowNs: () => BigInt(this.time.ms) * 1_000_000n, monotonicMs: () => this.time.ms };
    this.environment = { clock, random: seededRandom(seed) };
    this.store = new core.MemoryStore(clock, this.objects);
  }

  static async create(core: Core, sources: Sources, seed = 'world'): Promise<World> {
    const world = new World(core, sources, seed);
    const { keys } = await core.Repository.create(world.store, { environment: world.environment });
    world.keys = keys;
    return world;
  }

  /** The same repository at the same time, over objects of its own. */
  fork(): World {
    const { core, sources, keys, clients, time } = this;
    const fork = new World(core, sources, 'fork');
    Object.assign(fork, { keys, clients });
    fork.time.ms = time.ms;
    for (const [key, object] of this.objects) fork.objects.set(key, object);
    for (const [key, object] of this.everPut) fork.everPut.set(key, object);
    return fork;
  }

  advance(ms: number): void {
    this.time.ms += ms;
  }

  /** From now on it is as if a server kept the log. */
  underServer(): void {
    Object.defineProperty(this.store, 'keepsLog', { value: true });
  }

  /** Opens the repository as another process would. */
  async open(store: ObjectStore = this.store, aheadMs = 0): Promise<Repository> {
    const { clock, random } = this.environment;
    const ahead = { nowNs: () => clock.nowNs() + BigInt(aheadMs) * 1_000_000n, monotonicMs: () => clock.monotonicMs() };
    if (this.keys === undefined) throw new Error('the repository was made');
    return await this.core.Repository.open(store, { keys: this.keys, environment: { clock: ahead, random } });
  }

  /** Starts a client. */
  async start(name: string, work: (repository: Repository) => Promise<unknown>): Promise<Actor> {
    this.clients += 1;
    return await Actor.start(`${name} ${this.clients}`, this.recording(), async (store) =>
      work(await this.open(store)),
    );
  }

  /** A backup of the files named by letters. */
  async writer(files: string): Promise<Actor> {
    return await this.start(`writer of ${files}`, (repository) => this.backup(repository, files));
  }

  async collector(options: CompactOptions = { graceMs: 0 }): Promise<Actor> {
    return await this.start('collector', (repository) => repository.compact(options));
  }

  /** A check that waits for its turn before each read. What it finds wrong is added to `findings`. */
  async checker(findings: string[]): Promise<Actor> {
    const work = async (store: ObjectStore): Promise<void> => {
      const report = await (await this.open(store)).check({ data: true, threads: 0, record: false });
      for (const { severity, code, object, path } of report.findings) {
        if (severity !== 'info') findings.push(`${code} ${object ?? ''} ${path ?? ''}`);
      }
    };
    this.clients += 1;
    return await Actor.start(`check ${this.clients}`, this.store, work, true);
  }

  /** Backs up at once. */
  async commit(files: string): Promise<ArchiveRecord> {
    return await this.backup(await this.open(this.recording()), files);
  }

  private async backup(repository: Repository, files: string): Promise<ArchiveRecord> {
    const paths = [this.sources.of(files)];
    return (await repository.backup({ paths, threads: 0, series: 'host', host: 'host' })).archive;
  }

  async delete(...archives: readonly ArchiveRecord[]): Promise<void> {
    const repository = await this.open();
    await repository.delete(await repository.planDelete(archives));
  }

  async compact(options: CompactOptions = { graceMs: 0 }): Promise<void> {
    await (await this.open(this.recording())).compact(options);
  }

  /** What a program with the keys and without scruples appends. Rejects when the rules of the log forbid it. */
  async append(entry: LogEntry): Promise<void> {
    await (await this.open()).access.log.append(() => entry);
  }

  get intruder(): Intruder {
    if (this.keys === undefined) throw new Error('the repository was made');
    return new Intruder(this.objects, this.keys, this.environment.random, () => this.time.ms);
  }

  names(kind: 'packs' | 'index'): string[] {
    return [...this.objects.keys()]
      .filter((key) => key.startsWith(`${kind}/`))
      .map((key) => key.slice(kind.length + 1));
  }

  /** Every put of a pack or segment that was ever made arrives once more, as repeated requests may. */
  redeliver(): void {
    for (const [key, object] of this.everPut) if (!this.objects.has(key)) this.objects.set(key, object);
  }

  private recording(): ObjectStore {
    const { everPut, objects } = this;
    const store: ObjectStore = this.store;
    const remember = (kind: string, name: string): void => {
      const object = objects.get(`${kind}/${name}`);
      if (object !== undefined && (kind === 'packs' || kind === 'index')) everPut.set(`${kind}/${name}`, object);
    };
    return {
      description: 'memory',
      keepsLog: store.keepsLog,
      put: async (key, body, options) => {
        await store.put(key, body, options);
        remember(key.kind, key.name);
      },
      get: (key, options) => store.get(key, options),
      list: (kind, options) => store.list(kind, options),
      delete: (key, options) => store.delete(key, options),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  /** What is wrong; empty when every archive reads as it was and what it needs stays. */
  async mistakes(): Promise<string[]> {
    const repository = await this.open();
    const { findings } = await repository.check({ data: true, threads: 0 });
    const mistakes = findings
      .filter(({ severity, code }) => severity !== 'info' && code !== 'nothing-checked')
      .filter(({ code, object = '' }) => code !== 'pack-damaged' || !this.junk.has(object.slice('packs/'.length)))
      .map(({ code, object, path }) => `${code} ${object ?? path ?? ''}`);
    const { state } = repository.access.log;
    for (const archive of state.archives.values()) {
      if (archive.state !== 'dropped') mistakes.push(...(await this.differences(repository, archive)));
    }
    const nowNs = this.environment.clock.nowNs();
    for (const { archives, until } of state.pins.values()) {
      if (until > nowNs && archives.some((id) => state.archives.get(id)?.state === 'dropped'))
        mistakes.push('a pinned archive is dropped');
    }
    const plan = await repository.planCompact();
    if (plan.lostSegments > 0) mistakes.push('a segment is lost');
    return [...mistakes, ...(await this.unlistedPacks(repository))];
  }

  /** Packs in the index that no segment lists which stays (rule R10). */
  private async unlistedPacks(repository: Repository): Promise<string[]> {
    const { state } = repository.access.log;
    const staying = new Map(this.objects);
    for (const name of this.names('index')) if (state.condemnedSegments.has(name)) staying.delete(`index/${name}`);
    const { clock } = this.environment;
    const pruned = await this.open(new this.core.MemoryStore(clock, staying));
    const listed = new Set((await pruned.access.index()).packs.map(({ name }) => name));
    const { packs } = await repository.access.index();
    return packs.filter(({ name }) => !listed.has(name)).map(({ name }) => `pack ${name} will not be listed`);
  }

  private async differences(repository: Repository, archive: ArchiveRecord): Promise<string[]> {
    const files =
      Buffer.from(archive.descriptor.paths[0] ?? [])
        .toString()
        .split('/')
        .at(-1) ?? '';
    const found: string[] = [];
    try {
      const view = await repository.view(archive);
      const read: string[] = [];
      for await (const { path, entry } of view.walk('/')) {
        if (entry.kind !== 1) continue;
        const parts: Uint8Array[] = [];
        for await (const part of view.read(path)) parts.push(part);
        read.push(entry.name);
        if (Buffer.concat(parts).toString() !== contentOf(entry.name)) found.push(`${path} differs`);
      }
      if (read.toSorted().join('') !== files) found.push(`${archive.name} has ${read.join('')}, not ${files}`);
    } catch (error) {
      found.push(`${archive.name}: ${String(error)}`);
    }
    return found;
  }

  /** Segments without which the index says the same. */
  private async repeatedSegments(repository: Repository): Promise<string[]> {
    const { size, packs } = await repository.access.index();
    const repeated: string[] = [];
    for (const name of this.names('index')) {
      const others = new Map(this.objects);
      others.delete(`index/${name}`);
      const pruned = await this.open(new this.core.MemoryStore(this.environment.clock, others));
      const index = await pruned.access.index();
      if (index.size === size && index.packs.length === packs.length) repeated.push(name);
    }
    return repeated;
  }

  /** What is left that nothing needs, after collectors had all the time that they want. */
  async garbage(): Promise<string[]> {
    this.redeliver();
    for (let round = 0; round < 4; round++) {
      this.advance(8 * DAY_MS);
      await this.compact({ maxUnused: 0 });
    }
    const repository = await this.open();
    const plan = await repository.planCompact({ maxUnused: 0 });
    const { dead, unlisted, young, repack, leftovers, condemned } = plan;
    const indexed = new Set((await repository.access.index()).packs.map(({ name }) => name));
    const nobodys = this.names('packs').filter((name) => !indexed.has(name)).length;
    const left = {
      nobodys,
      twice: (await this.repeatedSegments(repository)).length,
      dead: dead.packs,
      unlisted: unlisted.packs,
      young: young.packs,
      repack: repack.packs,
      leftovers,
    };
    return Object.entries({ ...left, condemned: condemned.packs })
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${count} ${what}`);
  }
}
