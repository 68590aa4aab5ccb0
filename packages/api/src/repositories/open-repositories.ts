import {
  CairnError,
  clientFiles,
  openStore,
  Repository,
  type ArchiveReader,
  type Environment,
  type KeyFile,
} from '@cairn/core';
import { join } from 'node:path';

import type { PanelConfig, RepositoryConfig } from '../config/panel-file.ts';
import { RepositoryKey } from './repository-key.ts';

/** A repository that is open, as handlers have it while they work. */
export interface Opened {
  readonly repository: Repository;
  /** Opens chunks and keeps those that are used often; one for all who browse. */
  reader(): Promise<ArchiveReader>;
}

/** What the panel keeps of opened chunks for each repository, and the threads that open them: mounts have processes of their own. */
const READER = { threads: 1, dataBytes: 8 * 1024 * 1024, treeBytes: 16 * 1024 * 1024 } as const;

/** The configured repositories. Each is opened once, kept, and brought up to date before each use; another key file opens it anew. */
export class OpenRepositories {
  private readonly all: ReadonlyMap<string, KeptRepository>;

  /** @param variables environment variables for stores, as `AWS_ACCESS_KEY_ID`. */
  constructor(
    config: PanelConfig,
    environment: Environment,
    variables: Readonly<Record<string, string | undefined>> = {},
  ) {
    const places = {
      state: join(config['state-directory'], 'client'),
      cache: join(config['state-directory'], 'cache'),
    };
    this.all = new Map(
      config.repositories.map((each) => [each.name, new KeptRepository(each, places, environment, variables)]),
    );
  }

  names(): string[] {
    return [...this.all.keys()];
  }

  /** What the panel's file says of a repository. Rejects with `NOT_FOUND`. */
  config(name: string): RepositoryConfig {
    return this.kept(name).config;
  }

  /** The key at hand. Rejects with `NOT_FOUND`, and as `RepositoryKey.load` does. */
  async key(name: string): Promise<KeyFile> {
    return await this.kept(name).key.load();
  }

  /**
   * Does `work` with the repository as it is now. It stays open until all work is done. Rejects with `NOT_FOUND`, with `CANCELLED`, and as
   * `Repository.open` does.
   */
  async use<T>(name: string, work: (opened: Opened) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const kept = this.kept(name);
    if (signal?.aborted === true) throw new CairnError('CANCELLED', 'the request was given up');
    return await kept.use(work);
  }

  async close(): Promise<void> {
    await Promise.all([...this.all.values()].map((kept) => kept.close()));
  }

  private kept(name: string): KeptRepository {
    const kept = this.all.get(name);
    if (kept !== undefined) return kept;
    throw new CairnError('NOT_FOUND', `there is no repository ${JSON.stringify(name)}`, {
      hint: 'GET /api/v1/repositories lists them.',
    });
  }
}

/** One opening of a repository: with one key, until that key is replaced and nobody works with it any more. */
class Opening {
  readonly repository: Repository;
  readonly key: KeyFile;
  private loadedReader: Promise<ArchiveReader> | undefined;
  /** Another opening has taken its place. */
  isOver = false;
  private users = 0;
  private refreshing: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(repository: Repository, key: KeyFile) {
    this.repository = repository;
    this.key = key;
  }

  async use<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    this.users += 1;
    try {
      await this.refresh();
      return await work({ repository: this.repository, reader: () => this.reader() });
    } finally {
      this.users -= 1;
      await this.closeIfUnused();
    }
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.closeIfUnused();
  }

  private reader(): Promise<ArchiveReader> {
    if (this.loadedReader === undefined) {
      const loading = this.repository.reader(READER);
      this.loadedReader = loading;
      loading.catch(() => (this.loadedReader = undefined));
    }
    return this.loadedReader;
  }

  /**
   * Reads what was appended to the log until after this was called. Many callers at once share one reading: one that is under way may have
   * missed the newest entry, so they share the next.
   */
  private async refresh(): Promise<void> {
    if (this.refreshing === undefined) {
      this.refreshing = this.repository.access.log.refresh().finally(() => (this.refreshing = undefined));
      return await this.refreshing;
    }
    this.next ??= this.refreshing
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.refresh();
      });
    return await this.next;
  }

  private async closeIfUnused(): Promise<void> {
    if (!this.isOver || this.users > 0) return;
    const reader = this.loadedReader;
    this.loadedReader = undefined;
    if (reader !== undefined) await (await reader)[Symbol.asyncDispose]();
    await this.repository.close();
  }
}

class KeptRepository {
  readonly config: RepositoryConfig;
  readonly key: RepositoryKey;
  private readonly places: { readonly state: string; readonly cache: string };
  private readonly environment: Environment;
  private readonly variables: Readonly<Record<string, string | undefined>>;
  private opening: Promise<Opening> | undefined;
  private openedWith: KeyFile | undefined;

  constructor(
    config: RepositoryConfig,
    places: KeptRepository['places'],
    environment: Environment,
    variables: KeptRepository['variables'],
  ) {
    this.config = config;
    this.key = new RepositoryKey(config);
    this.places = places;
    this.environment = environment;
    this.variables = variables;
  }

  async use<T>(work: (opened: Opened) => Promise<T>): Promise<T> {
    const key = await this.key.load();
    if (this.opening === undefined || this.openedWith !== key) {
      const before = this.opening;
      const opening = this.open(key);
      this.opening = opening;
      this.openedWith = key;
      opening.catch(() => {
        if (this.opening === opening) this.opening = undefined;
      });
      before?.then(
        (old) => old.end(),
        () => undefined,
      );
    }
    const opening = await this.opening;
    // Another key may have come while this one was opened.
    return await (opening.isOver ? this.use(work) : opening.use(work));
  }

  async close(): Promise<void> {
    const opening = this.opening;
    this.opening = undefined;
    await opening?.then(
      (opened) => opened.end(),
      () => undefined,
    );
  }

  private async open(key: KeyFile): Promise<Opening> {
    const { address, 'credentials-file': credentialsFile } = this.config;
    const { clientState, treeCache, checkMemory, storeMemory } = clientFiles(this.places);
    const store = await openStore(address, {
      variables: this.variables,
      storeMemory,
      cacheDirectory: this.places.cache,
      ...(credentialsFile === undefined ? {} : { credentialsFile }),
    });
    const keys = key.capabilities;
    const repository = await Repository.open(store, {
      keys,
      clientState,
      treeCache,
      checkMemory,
      environment: this.environment,
    });
    return new Opening(repository, key);
  }
}
