import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { Repository } from '../repository.ts';
import type { SelectionOptions } from '../scan/selection.ts';
import { CACHEDIR_TAG_SIGNATURE } from '../scan/tags.ts';
import { MemoryStore } from '../stores/memory.ts';

let source: string;
let repository: Repository;
let told: string[];

beforeEach(async () => {
  source = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-choice-')));
  ({ repository } = await Repository.create(new MemoryStore(systemEnvironment.clock)));
});

afterEach(() => {
  rmSync(source, { recursive: true, force: true });
});

function put(name: string, content = name): void {
  mkdirSync(dirname(join(source, name)), { recursive: true });
  writeFileSync(join(source, name), content);
}

/** What is in an archive made with this selection, relative to the source. */
async function taken(select: SelectionOptions, top = source): Promise<string[]> {
  told = [];
  const run = {
    onExcluded: ({ path, decision }: { path: string; decision: { action: string; reason: { kind: string } } }) =>
      told.push(`${path.slice(top.length)} ${decision.action} ${decision.reason.kind}`),
  };
  const report = await repository.backup({ paths: [top], select, threads: 0 }, run);
  expect(report.problems).toEqual([]);
  const names: string[] = [];
  for await (const { path } of (await repository.view('latest')).walk(top)) names.push(path.slice(top.length));
  return names;
}

describe('a selection in a walk', () => {
  it('keeps a tagged cache and its tag, without what else is in it', async () => {
    put('cache/CACHEDIR.TAG', `${CACHEDIR_TAG_SIGNATURE}\n# of a test`);
    put('cache/below/x');
    put('cache/y');
    put('forged/CACHEDIR.TAG', 'Signature: none');
    put('forged/kept');
    mkdirSync(join(source, 'strange', 'CACHEDIR.TAG'), { recursive: true });
    put('strange/kept');
    put('linked/real');
    symlinkSync('../cache/CACHEDIR.TAG', join(source, 'linked', 'CACHEDIR.TAG'));
    expect(await taken({ excludeCaches: true })).toEqual([
      '',
      '/cache',
      '/cache/CACHEDIR.TAG',
      '/forged',
      '/forged/CACHEDIR.TAG',
      '/forged/kept',
      '/linked',
      '/linked/CACHEDIR.TAG',
      '/linked/real',
      '/strange',
      '/strange/CACHEDIR.TAG',
      '/strange/kept',
    ]);
    expect(told).toEqual(['/cache skip-content cachedir']);
  });

  it('keeps a marked directory and its marker', async () => {
    put('job/.nobackup', '');
    put('job/data');
    put('other/data');
    expect(await taken({ excludeIfPresent: ['.nobackup'] })).toEqual([
      '',
      '/job',
      '/job/.nobackup',
      '/other',
      '/other/data',
    ]);
  });

  it('leaves out what is too large, and what rules name', async () => {
    put('small', 'x'.repeat(100));
    put('large', 'x'.repeat(101));
    put('film.iso', '');
    expect(await taken({ excludeLargerThan: 100, excludes: ['*.iso'] })).toEqual(['', '/small']);
    expect(told).toEqual(['/film.iso skip pattern', '/large skip size']);
  });

  it('leaves out what is flagged nodump', async (context) => {
    put('kept');
    put('flagged');
    put('directory/x');
    symlinkSync('kept', join(source, 'link'));
    const flags = spawnSync('chattr', ['+d', join(source, 'flagged'), join(source, 'directory')]);
    if (flags.status !== 0) context.skip();
    expect(await taken({ excludeNodump: true })).toEqual(['', '/kept', '/link']);
  });

  it('keeps a mount point without what is mounted there', async (context) => {
    const mount = '/dev/shm';
    if (!existsSync(mount) || statSync(mount).dev === statSync('/dev').dev) context.skip();
    const names = await taken({ oneFileSystem: true, excludes: ['/dev/[!s]*', '/dev/s[!h]*'] }, '/dev');
    expect(names).toContain('/shm');
    expect(names.filter((name) => name.startsWith('/shm/'))).toEqual([]);
    expect(told).toContain('/shm skip-content mount');
  });

  it('says the same when it is asked', async () => {
    put('cache/CACHEDIR.TAG', CACHEDIR_TAG_SIGNATURE);
    put('cache/y');
    put('job/.nobackup', '');
    put('large', 'x'.repeat(1000));
    const select = {
      excludeCaches: true,
      excludeIfPresent: ['.nobackup'],
      excludeLargerThan: 100,
      excludeNodump: true,
    };
    const names = await taken(select);
    const asked = ['/cache', '/cache/CACHEDIR.TAG', '/cache/y', '/job', '/job/.nobackup', '/large'];
    const answers = await repository.explain(
      { paths: [source], select },
      asked.map((name) => source + name),
    );
    expect(answers.map((one) => one.taken)).toEqual(asked.map((name) => names.includes(name)));
    const absent = await repository.explain({ paths: [source], select }, [`${source}/not/there`, `${source}/large/x`]);
    expect(absent.map((one) => one.taken)).toEqual([true, false]);
  });
});
