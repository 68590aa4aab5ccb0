import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { loadAll, makeProgram } from '../src/program.ts';
import { Workplace } from './support/cairn.ts';
import { JsonPage } from './support/json-page.ts';

const page = new JsonPage(new URL('../../../docs/reference/json.md', import.meta.url));
/** Commands that were held against the page; those of dumps are in `job-dumps.test.ts`, beside their databases. */
const tried = new Set<string>(['job detect', 'job restore-dump']);
let place: Workplace;
let env: Record<string, string>;

/** The words of each command that does something itself. */
function commandsOf(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(' ')];
  return command.commands.flatMap((below) => commandsOf(below, [...words, below.name()]));
}

/** Runs a command with --json and holds what it prints against the page. */
function documented<T>(command: string, args: readonly string[], statuses: readonly number[] = [0]): T {
  tried.add(command);
  const outcome = place.cairn([...command.split(' '), ...args, '--json'], { env });
  expect(statuses, outcome.stderr).toContain(outcome.status);
  const value: unknown = JSON.parse(outcome.stdout);
  const type = page.commands.get(command);
  if (type === undefined) throw new Error(`docs/reference/json.md does not say what ${command} prints`);
  expect(page.mistakes(type, value)).toEqual([]);
  return value as T;
}

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  const odd = Buffer.concat([Buffer.from(`${place.path('source')}/caf`), Buffer.from([0xe9])]);
  mkdirSync(place.path('source'));
  place.file('source/plain.txt', 'plain');
  place.file('source/caches/CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n');
  writeFileSync(odd, 'odd');
  symlinkSync('plain.txt', place.path('source', 'link'));
  place.file('words', 'correct horse battery staple\n');
});

afterAll(() => place.remove());

describe('JSON output', () => {
  it('of making a repository and backing up', () => {
    documented('init', []);
    const source = place.path('source');
    const first = documented<{ archive: { paths: string[] } }>('backup', ['--tag', 'daily', '--comment', 'c', source]);
    expect(first.archive.paths).toEqual([source]);
    place.file('source/plain.txt', 'plain, and more');
    const again = documented<{ compared_with: string; problems: { kind: string }[] }>(
      'backup',
      [source, place.path('absent')],
      [3],
    );
    expect(again.compared_with).toMatch(/Z$/);
    expect(again.problems).toMatchObject([{ kind: 'missing-source' }]);
  });

  it('of looking at archives, with names that are not UTF-8', () => {
    expect(documented<unknown[]>('list', [])).toHaveLength(2);
    const entries = documented<{ path: string; path_b64?: string }[]>('ls', ['latest', place.path('source')]);
    const odd = entries.find(({ path }) => path.includes('caf'));
    expect(odd?.path.endsWith('/caf\\xe9')).toBe(true);
    expect(
      Buffer.from(odd?.path_b64 ?? '', 'base64')
        .toString('latin1')
        .endsWith('/caf\u00e9'),
    ).toBe(true);
    expect(entries.find(({ path }) => path.endsWith('/link'))).toMatchObject({ type: 'symlink', target: 'plain.txt' });
    expect(documented<unknown[]>('find', ['plain.txt'])).toHaveLength(2);
    const { name } = documented<{ name: string }[]>('list', ['--last', '2'])[0] ?? { name: '' };
    expect(documented<unknown[]>('diff', [name, 'latest']).length).toBeGreaterThan(0);
  });

  it('of restoring and checking', () => {
    expect(documented('restore', ['latest', '--to', place.path('out')])).toMatchObject({ complete: true });
    const again = documented('restore', ['latest', '--to', place.path('out'), '--in-place', '--dry-run']);
    expect(again).toMatchObject({ complete: true, files: 0, deleted: 0 });
    expect(documented('compact', ['--dry-run'])).toMatchObject({ dry_run: true, plan: { max_unused_percent: 25 } });
    expect(documented('compact', ['--grace', '12h'])).toMatchObject({ plan: { grace_ms: 43_200_000 }, result: {} });
    expect(documented('check', ['--data-share', '10%'])).toMatchObject({ errors: 0, recorded: true });
    expect(documented('repair', ['--dry-run'])).toMatchObject({ nothing_to_do: true });
    expect(documented('repair', [])).toMatchObject({ nothing_to_do: true, new_packs: [] });
  });

  it('of deciding about archives', () => {
    const [{ name }] = documented<[{ name: string }]>('list', []);
    expect(documented('delete', [name, '--dry-run'])).toMatchObject({ dry_run: true, archives: [{ state: 'live' }] });
    const deleted = documented<{ archives: { deleted?: string; droppable?: string }[] }>('delete', [name]);
    const [{ deleted: since = '', droppable = '' } = {}] = deleted.archives;
    // A grace of seven days.
    expect(Date.parse(droppable) - Date.parse(since)).toBe(7 * 86_400_000);
    expect(documented('list', ['--deleted'])).toMatchObject([
      { state: 'deleted', droppable: expect.any(String) },
      { state: 'live' },
    ]);
    expect(documented('undelete', [name])).toMatchObject({ dry_run: false, archives: [{ state: 'live' }] });
    expect(documented('protect', [name])).toMatchObject([{ protected: true }]);
    expect(documented('protect', ['--off', name, 'latest'])).toMatchObject([{ protected: false }, {}]);
    expect(documented('comment', ['other', name])).toMatchObject([{ comment: 'other' }]);
    expect(documented('tag', [name, '--add', 'weekly'])).toMatchObject([{ tags: ['daily', 'weekly'] }]);
    expect(documented('rename', [name, 'renamed'])).toMatchObject({ name: 'renamed' });
    const without = ['--exclude', 'plain.txt', 'renamed'];
    expect(documented('rewrite', [...without, '--dry-run'])).toMatchObject([{ removed: { files: 1, bytes: 5 } }]);
    expect(documented('rewrite', [...without, '--delete-originals'])).toMatchObject([
      { original: { name: 'renamed', state: 'deleted' }, archive: { name: 'renamed.2', state: 'live' } },
    ]);
    place.good(['delete', 'renamed.2'], { env });
    place.good(['undelete', 'renamed'], { env });
    expect(documented('stats', [])).toMatchObject({ archives: 2, missing_chunks: 0, per_archive: [{}, {}] });
    expect(documented('stats', ['--if-deleted', 'renamed', 'latest'])).toMatchObject({ if_deleted: {} });
    place.good(['check'], { env });
    const logged = documented<{ kind: string }[]>('log', []).map(({ kind }) => kind);
    expect(new Set(logged)).toEqual(new Set(['COMMIT', 'DELETE', 'UNDELETE', 'ANNOTATE', 'CHECK']));
  });

  it('of copying', () => {
    const second = place.path('second');
    place.good(['init', '-r', second]);
    const { archives } = documented<{ archives: { outcome: string }[] }>('copy', ['--to', second, '--latest']);
    expect(archives).toMatchObject([{ outcome: 'copied' }]);
    const all = documented<{ archives: { outcome: string }[] }>('copy', ['--to', second, '--dry-run']);
    expect(all.archives.map(({ outcome }) => outcome)).toEqual(['planned', 'present']);
  });

  it('of pruning', () => {
    // The newest archive is incomplete, for it lacks a source: the rule keeps the one before.
    expect(documented('prune', ['--keep-last', '1', '--dry-run'])).toMatchObject({ dry_run: true, kept: 2 });
    expect(documented('prune', ['--keep-last', '1'])).toMatchObject({ kept: 2, removed: 0 });
  });

  it('of mounting and browsing', async () => {
    mkdirSync(place.path('mnt'));
    const mounted = documented<{ directory: string; pid: number }>('mount', ['latest', 'mnt']);
    expect(mounted).toMatchObject({ directory: place.path('mnt'), pid: expect.any(Number) as number });
    expect(documented('umount', ['mnt'])).toEqual({ directory: place.path('mnt'), was_dead: false });
    tried.add('browse');
    const browsing = place.start(['browse', '--json'], env);
    const [line] = (await once(browsing.stdout ?? browsing, 'data')) as [Buffer];
    browsing.kill('SIGINT');
    expect(page.mistakes(page.commands.get('browse') ?? '', JSON.parse(line.toString()))).toEqual([]);
    expect((await once(browsing, 'exit'))[0]).toBe(0);
  });

  it('of tar', () => {
    const tar = place.path('all.tar');
    expect(documented('tar export', ['latest', '--output', tar])).toMatchObject({ complete: true });
    expect(documented('tar import', [tar])).toMatchObject({ complete: true, archive: { series: 'tar' } });
  });

  it('of settings, rules and this machine', () => {
    const source = place.path('source');
    const explained = documented('explain', ['--source', source, '--exclude', '*.txt', `${source}/plain.txt`, source]);
    expect(explained).toMatchObject([{ taken: false, pattern: '*.txt', origin: 'option' }, { taken: true }]);
    documented('config', ['--threads', '2']);
    documented('doctor', []);
  });

  it('of keys', () => {
    documented('key show', []);
    documented('key fingerprint', []);
    const { recovery_key: key } = documented<{ recovery_key: string }>('key export', []);
    documented('key import', [place.file('sheet', key), '--output', place.path('imported.key')]);
    documented('key issue', ['--rights', 'write', '--output', place.path('write.key')]);
  });

  it('of key slots', () => {
    const { slot } = documented<{ slot: string }>('key slot add', ['--new-passphrase-file', place.path('words')]);
    documented('key slot list', []);
    documented('key slot remove', [slot]);
    documented('key slot add', ['--new-passphrase-file', place.path('words')]);
    const changed = ['--passphrase-file', place.path('words'), '--generate-passphrase'];
    documented('key passphrase', changed);
  });

  it('of jobs', () => {
    const [repo, source] = [place.path('repo'), place.path('source')];
    place.file(
      'jobs/nightly.toml',
      `description = "all"\n[repository]\naddress = "${repo}"\n[backup]\nseries = "job"\nsources = ["${source}"]\n` +
        'excludes = ["plain.txt"]\n[prune]\nkeep-last = 2\n[schedule]\ncron = "@daily"\n[schedule.on-change]\n' +
        '[[hooks]]\nwhen = "after"\nstep = "prune"\ncommand = ["true"]\n',
    );
    place.file('jobs/wrong.toml', '[repository]\n');
    env['CAIRN_JOBS_DIRECTORY'] = place.path('jobs');
    expect(documented('job list', [], [2])).toMatchObject([{ name: 'nightly', on_change: true }, { error: {} }]);
    expect(documented('job validate', [], [2])).toMatchObject([{ problems: [] }, { problems: [{}] }]);
    expect(documented('job show', ['nightly'])).toMatchObject({ prune: { 'keep-last': 2 } });
    place.good(['run', 'nightly'], { env });
    expect(documented('job plan', ['nightly', `${source}/plain.txt`])).toMatchObject({
      explanations: [{ taken: false, reason: 'pattern' }],
      backup: { left_out: [{}] },
      prune: [{ removed: false }],
      failures: [],
    });
    expect(documented('job status', ['nightly'])).toMatchObject([{ last: { status: 'success' }, missed: 0 }]);
    const units = ['nightly', '--unit-directory', place.path('units')];
    expect(documented('job install', [...units, '--dry-run'])).toMatchObject({ dry_run: true, enabled: false });
    const installed = documented<{ units: { file: string; text: string }[] }>('job install', units);
    for (const { file, text } of installed.units) expect(readFileSync(file, 'utf8')).toBe(text);
    const files = installed.units.map(({ file }) => file).toSorted();
    expect(documented<{ units: string[] }>('job uninstall', units).units.toSorted()).toEqual(files);
  });

  it('of the panel', () => {
    const [repo, key] = [place.path('repo'), place.path('imported.key')];
    const file = place.file(
      'panel.toml',
      `state-directory = "${place.path('panel')}"\n[[repositories]]\nname = "main"\naddress = "${repo}"\nkey-file = "${key}"\n`,
    );
    expect(documented('panel', ['--setup-link', '--panel-file', file])).toHaveProperty('setup');
  });

  it('is documented for every command, and tried of every command that the page names', async () => {
    expect([...page.commands.keys()].filter((command) => !tried.has(command))).toEqual([]);
    const program = makeProgram(async () => undefined);
    await loadAll(program);
    const without = commandsOf(program).filter((command) => !page.commands.has(command));
    expect(without.toSorted()).toEqual(['cat', 'completion', 'job daemon', 'job log', 'run', 'serve']);
  });
});

describe('an error as JSON', () => {
  it('is the last line on standard error, and nothing is on standard output', () => {
    const { status, stdout, stderr } = place.cairn(['list', '--json', '-r', place.path('nowhere')]);
    expect(stdout).toBe('');
    const error = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '') as { exit: number };
    expect(page.mistakes('error', error)).toEqual([]);
    expect(error).toMatchObject({ code: 'REPOSITORY_MISSING', exit: status });
  });

  it('is given for a command line that is wrong, too', () => {
    const { status, stderr } = place.cairn(['ls', '--json', '--wrong']);
    expect(status).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ code: 'USAGE', exit: 2, message: expect.stringContaining('--wrong') });
  });
});
