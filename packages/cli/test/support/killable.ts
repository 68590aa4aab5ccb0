import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

import { DirectoryStore, ENTRY_KIND, Repository, toUtf8, type ArchiveRecord } from '@cairn/core';
import type { Seeded } from '@cairn/core/testing';

import { MAIN, Workplace } from './cairn.ts';

/** What a command that ended by itself did. */
export interface Ended {
  readonly status: number;
  readonly stderr: string;
}

const FILES = 4;

/** A repository in a directory that several processes use, any of which may be killed, and what its archives must hold. */
export class SharedRepository {
  readonly place = new Workplace();
  private readonly env: Record<string, string>;
  private readonly expected = new Map<string, string>();

  constructor() {
    this.env = { CAIRN_REPOSITORY: this.place.path('repo'), CAIRN_KEY_FILE: this.place.path('key') };
    this.place.good(['init', '--key-file', this.place.path('key')], { env: this.env });
  }

  remove(): void {
    this.place.remove();
  }

  /** Where the source of a series is. */
  source(series: string): string {
    return this.place.path('source', series);
  }

  /** Changes some of the source's files. */
  changeSource(series: string, random: Seeded): void {
    mkdirSync(this.source(series), { recursive: true });
    for (let i = 0; i < FILES; i++) {
      if (random.chance(0.5)) writeFileSync(`${this.source(series)}/file-${i}`, random.bytes(1 + random.below(20_000)));
    }
  }

  /** Runs a command, and kills it without warning after so long; undefined when that came first. */
  async run(args: readonly string[], killAfterMs?: number): Promise<Ended | undefined> {
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: this.place.environment(this.env),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        if (signal === 'SIGKILL') resolve(undefined);
        else resolve({ status: code ?? -1, stderr });
      });
    });
  }

  /** How many archives were ever seen. */
  get committed(): number {
    return this.expected.size;
  }

  async open(): Promise<Repository> {
    return await Repository.open(await DirectoryStore.open(this.place.path('repo')), {
      keys: readFileSync(this.place.path('key'), 'utf8'),
    });
  }

  /**
   * What is wrong with the repository: findings of a check, archives that the log knows no more, and such that do not give what was
   * in their source. An archive that is new must have its series' source as it is now. Empty when all is well.
   */
  async mistakes(options: { readonly data?: boolean } = {}): Promise<string[]> {
    const repository = await this.open();
    try {
      const check = await repository.check({ threads: 0, data: options.data === true });
      const found = check.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message);
      for (const archive of repository.archives({ deleted: true })) {
        const { series } = archive.descriptor;
        const content = await contentOf(repository, archive);
        const expected = this.expected.get(archive.id) ?? this.sourceContent(series);
        if (content !== expected) found.push(`${archive.name} does not give what was in its source`);
        this.expected.set(archive.id, expected);
      }
      const known = repository.access.log.state.archives;
      for (const id of this.expected.keys()) if (!known.has(id)) found.push(`archive ${id} is gone from the log`);
      return found;
    } finally {
      await repository.close();
    }
  }

  private sourceContent(series: string): string {
    const names = readdirSync(this.source(series)).toSorted();
    return digest(names.map((name) => [name, readFileSync(`${this.source(series)}/${name}`)]));
  }
}

async function contentOf(repository: Repository, archive: ArchiveRecord): Promise<string> {
  const view = await repository.view(archive);
  const files: [string, Uint8Array][] = [];
  for await (const { path, entry } of view.walk()) {
    if (entry.kind !== ENTRY_KIND.file) continue;
    const parts: Uint8Array[] = [];
    for await (const part of view.read(path)) parts.push(part);
    files.push([toUtf8(path).split('/').at(-1) ?? '', Buffer.concat(parts)]);
  }
  return digest(files);
}

function digest(files: readonly (readonly [string, Uint8Array])[]): string {
  const hash = createHash('sha256');
  for (const [name, content] of files) hash.update(`${name} ${content.length}\n`).update(content);
  return hash.digest('hex');
}
