import { Repository, openStore } from '@cairn/core';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { OpenRepositories } from '../src/repositories/open-repositories.ts';
import { ScratchPanel } from './support/scratch-panel.ts';

let scratch: ScratchPanel;
let repositories: OpenRepositories;

beforeEach(async () => {
  scratch = await ScratchPanel.make();
  await scratch.stop();
  repositories = new OpenRepositories(scratch.config, scratch.environment);
});

afterEach(async () => {
  await repositories.close();
  await scratch.remove();
});

function names(): Promise<string[]> {
  return repositories.use('main', async ({ repository }) => repository.archives().map(({ name }) => name));
}

/** As another process does it. */
async function backup(series: string): Promise<void> {
  const keys = scratch.keys.get('main');
  if (keys === undefined) throw new Error('the set-up failed');
  const source = join(scratch.directory, 'source');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'file.txt'), series);
  const repository = await Repository.open(await openStore(join(scratch.directory, 'main')), { keys });
  await repository.backup({ paths: [source], series });
  await repository.close();
}

describe('opened repositories', () => {
  it('show what others did since', async () => {
    expect(await names()).toEqual([]);
    for (const series of ['one', 'two', 'three']) {
      await backup(series);
      expect((await names()).at(-1)).toContain(series);
    }
    // And what is in it, although the index was loaded before.
    await repositories.use('main', async ({ repository, reader }) => {
      await reader();
      await backup('four');
      expect(repository.archives()).toHaveLength(3);
    });
    const found = await repositories.use('main', async ({ repository }) => {
      const view = await repository.view('four@latest');
      const paths: string[] = [];
      for await (const { path } of view.walk()) paths.push(path);
      return paths;
    });
    expect(found.some((path) => path.endsWith('source/file.txt'))).toBe(true);
  });

  it('are opened once for many, and read the log once for many', async () => {
    await backup('one');
    const seen = new Set<Repository>();
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        repositories.use('main', async ({ repository }) => {
          seen.add(repository);
          return repository.archives().length;
        }),
      ),
    );
    expect(all.every((count) => count === 1)).toBe(true);
    expect(seen.size).toBe(1);
  });

  it('are opened anew with another key, while work with the old one goes on', async () => {
    const [first, again] = [deferred(), deferred()];
    const old = repositories.use('main', async ({ repository }) => {
      again.resolve();
      await first.promise;
      return repository.archives().length;
    });
    await again.promise;
    const before = await repositories.use('main', async ({ repository }) => repository.fingerprint);
    await scratch.makeRepository('main');
    const after = await repositories.use('main', async ({ repository }) => repository.fingerprint);
    expect(after).not.toBe(before);
    first.resolve();
    expect(await old).toBe(0);
  });

  it('that cannot be opened are tried again', async () => {
    const place = join(scratch.directory, 'main');
    renameSync(place, `${place}.away`);
    await expect(names()).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' });
    renameSync(`${place}.away`, place);
    expect(await names()).toEqual([]);
    await expect(repositories.use('nowhere', async () => 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
