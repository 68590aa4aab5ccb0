import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { nodeSuite } from '../crypto/node-suite.ts';
import type { ByteString } from '../host/byte-path.ts';
import { systemEnvironment } from '../host/environment.ts';
import { importKey } from '../keys/import-key.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { memoryClientState } from './archive-builder.ts';

/** Facts of a path in `expected.json`; `testkit/README.md` has them all. */
export interface ExpectedFile {
  readonly kind: string;
  readonly damaged?: boolean;
  readonly sha256?: string;
  readonly link?: string;
  readonly [fact: string]: unknown;
}

export interface ExpectedArchive {
  readonly name: string;
  readonly hidden?: boolean;
  readonly partial?: boolean;
  readonly files: Readonly<Record<string, ExpectedFile>>;
}

export interface ExpectedRepository {
  readonly outcome: 'ok' | 'damaged';
  readonly opens?: boolean;
  readonly fromPacks?: boolean;
  readonly archives: readonly ExpectedArchive[];
}

const FOLDER = fileURLToPath(new URL('../../../../testkit/repositories', import.meta.url));

/** Names of the sample repositories. */
export function museumPieces(): string[] {
  return readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'expected.json')));
}

/** A sample repository in memory: to be read, or damaged further. */
export class MuseumPiece {
  readonly expected: ExpectedRepository;
  /** Every object, as `MemoryStore` keeps them. */
  readonly objects = new Map<string, MemoryObject>();
  private readonly key: string;

  constructor(name: string) {
    const folder = join(FOLDER, name);
    this.expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as ExpectedRepository;
    this.key = readFileSync(join(folder, 'key.txt'), 'utf8');
    const repo = join(folder, 'repo');
    for (const entry of readdirSync(repo, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const [kind = ''] = relative(repo, path).split(sep);
      const label = kind === 'config' ? kind : `${kind}/${basename(path)}`;
      this.objects.set(label, { body: readFileSync(path), receivedMs: 0 });
    }
  }

  /** Opens it with its key, as a client that never saw it. */
  open(): Promise<RepositoryAccess> {
    return RepositoryAccess.open({
      store: new MemoryStore(systemEnvironment.clock, this.objects),
      keys: importKey(nodeSuite, this.key).capabilities,
      suite: nodeSuite,
      environment: systemEnvironment,
      clientState: memoryClientState(),
    });
  }
}

/** A path of `expected.json` as a byte string. */
export function pathOfText(text: string): ByteString {
  const parts = text.split(/%([0-9A-F]{2})/);
  return parts
    .map((part, i) => (i % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'hex')).toString('latin1'))
    .join('');
}
