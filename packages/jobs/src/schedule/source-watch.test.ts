import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseJobText } from '../job-file/read-job.ts';
import { SourceWatch } from './source-watch.ts';
import { countsAsChange } from './watched-changes.ts';

let directory = '';
let watch: SourceWatch | undefined;
let changes = 0;
const failures: string[] = [];
/** What was asked about, path by path, and what the answer was. */
const answers: { readonly paths: readonly string[]; readonly counts: boolean }[] = [];

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-watch-')));
  for (const name of ['source/cache', 'source/.state', 'source/repo'])
    mkdirSync(join(directory, name), { recursive: true });
  changes = 0;
  failures.length = 0;
  answers.length = 0;
});
afterEach(() => {
  watch?.close();
  rmSync(directory, { recursive: true });
});

/** A home directory that holds the repository, too, and what runs write. */
function home(...names: string[]): string {
  return join(directory, 'source', ...names);
}

function job() {
  const text = `[repository]\naddress = "${home('repo')}"\n[backup]\nsources = ["${home()}"]\nexcludes = ["cache/"]\n`;
  return parseJobText(text, 'nightly');
}

async function counts(paths: readonly string[]): Promise<boolean> {
  return await countsAsChange(job(), { state: home('.state'), cache: home('.cache') }, paths);
}

function begin(sources: readonly string[]): SourceWatch {
  watch = new SourceWatch(sources, {
    counts: async (paths) => {
      const answer = await counts(paths);
      answers.push({ paths, counts: answer });
      return answer;
    },
    onChange: () => (changes += 1),
    onFailure: (text) => failures.push(text),
  });
  return watch;
}

/** Writes again and again, since a watch begins some time after it was asked for. */
async function write(name: string, until: () => boolean): Promise<void> {
  for (let i = 0; !until(); i++) {
    writeFileSync(home(name), `change ${i}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a change', () => {
  it('counts when a backup would see it', async () => {
    expect(await counts([home('one.txt')])).toBe(true);
    expect(await counts([home('gone/for/good')])).toBe(true);
    for (const name of ['cache/x', '.state/runs/nightly/1/events.jsonl', '.cache/trees', 'repo/log/7', 'repo']) {
      expect([name, await counts([home(name)])]).toEqual([name, false]);
    }
    expect(await counts([home('cache/x'), home('.state/x'), home('one.txt')])).toBe(true);
    expect(await counts(['/etc/passwd'])).toBe(false);
  });

  it('counts when it cannot be found out', async () => {
    const text = `[repository]\naddress = "/x"\n[backup]\nsources = ["${home()}"]\nexclude-from = ["${home('absent')}"]\n`;
    expect(await countsAsChange(parseJobText(text, 'nightly'), { state: '/s', cache: '/c' }, [home('one')])).toBe(true);
  });
});

describe('sources that are watched', () => {
  it('tell of what is backed up, and not of what a run writes itself', async () => {
    begin([home()]);
    await write('.state/record', () => answers.length > 0);
    await write('cache/x', () => answers.some(({ paths }) => paths.includes(home('cache/x'))));
    expect([changes, answers.some((answer) => answer.counts)]).toEqual([0, false]);
    await write('one.txt', () => changes > 0);
    expect(failures).toEqual([]);
  });

  it('are told once when they cannot be watched, and taken up when they can', async () => {
    const watching = begin([home('later')]);
    watching.beginAgain();
    expect(failures).toEqual([`${home('later')} cannot be watched: ENOENT`]);
    mkdirSync(home('later'));
    watching.beginAgain();
    await write('later/one.txt', () => changes > 0);
    expect(failures).toHaveLength(1);
  });
});
