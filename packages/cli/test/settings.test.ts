import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

interface Shown {
  readonly name: string;
  readonly value: unknown;
  readonly layer: string;
  readonly where: string;
}

let place: Workplace;

beforeAll(() => {
  place = new Workplace();
  place.file(
    'home/.config/cairn/config.toml',
    `repository = "~/from-file"
key-file = "keys/own.key"
threads = 3
passphrase-command = "cat words"

[backup]
paths = ["/etc", "~/documents"]
excludes = ["*.iso"]
one-file-system = true
compression = 5
`,
  );
});

afterAll(() => place.remove());

function shown(args: readonly string[], env: Record<string, string> = {}): Map<string, Shown> {
  return new Map(place.json<Shown[]>(['config', ...args], { env }).map((one) => [one.name, one]));
}

describe('settings', () => {
  it('come from the file of the user, whose paths start at its place or at home', () => {
    const settings = shown([]);
    const file = place.path('home', '.config', 'cairn', 'config.toml');
    expect(settings.get('repository')).toMatchObject({
      value: place.path('home', 'from-file'),
      layer: 'file',
      where: file,
    });
    expect(settings.get('key-file')?.value).toBe(place.path('home', '.config', 'cairn', 'keys', 'own.key'));
    expect(settings.get('backup.paths')?.value).toEqual(['/etc', place.path('home', 'documents')]);
    expect(settings.get('backup.one-file-system')?.value).toBe(true);
    expect(settings.get('state-directory')).toMatchObject({ layer: 'default' });
  });

  it('come from the environment before the file, and from options before both', () => {
    const env = { CAIRN_REPOSITORY: '/from/environment', CAIRN_PASSPHRASE_COMMAND: '' };
    expect(shown([], env).get('repository')).toMatchObject({ value: '/from/environment', where: 'CAIRN_REPOSITORY' });
    const settings = shown(['-r', '/from/option', '--threads', '0'], env);
    expect(settings.get('repository')).toMatchObject({ value: '/from/option', layer: 'option', where: '--repository' });
    expect(settings.get('threads')).toMatchObject({ value: 0, layer: 'option' });
    expect(settings.get('passphrase-command')).toMatchObject({ layer: 'file' });
  });

  it('of the XDG specification decide where files are', () => {
    const env = { XDG_CONFIG_HOME: place.path('xdg'), XDG_STATE_HOME: place.path('s'), XDG_CACHE_HOME: 'relative' };
    const settings = shown([], env);
    expect(settings.has('repository')).toBe(false);
    expect(settings.get('state-directory')?.value).toBe(place.path('s', 'cairn'));
    expect(settings.get('cache-directory')?.value).toBe(place.path('home', '.cache', 'cairn'));
  });

  it('come from a file that is named, and only from it', () => {
    const other = place.file('other.toml', 'threads = 1\n');
    for (const settings of [shown(['--config', other]), shown([], { CAIRN_CONFIG: other })]) {
      expect(settings.get('threads')).toMatchObject({ value: 1, where: other });
      expect(settings.has('repository')).toBe(false);
    }
  });

  it('are used: paths, excludes and series of a backup', () => {
    place.file('documents/kept.txt', 'x');
    place.file('documents/film.iso', 'x');
    const config = place.file(
      'job.toml',
      'repository = "repo"\n[backup]\npaths = ["documents"]\nexcludes = ["*.iso"]\nseries = "job"\ntags = ["daily"]\n',
    );
    place.good(['init', '--config', config]);
    const report = place.json<{ files: number; archive: object }>(['backup', '--config', config]);
    expect(report).toMatchObject({ files: 1, excluded: 1 });
    expect(report.archive).toMatchObject({ series: 'job', tags: ['daily'], paths: [place.path('documents')] });
    const own = place.json<{ files: number }>(['backup', '--config', config, '--exclude', '*.txt', '--tag', 'mine']);
    expect(own).toMatchObject({ files: 1, excluded: 1, archive: { tags: ['mine'] } });
    expect(place.good(['explain', '--config', config, place.path('documents', 'film.iso')])).toContain('rule `*.iso`');
  });

  it.each([
    ['that does not parse', 'repository = /backup\n', 'does not parse'],
    ['with a name that is no setting', 'repositry = "/backup"\n', '`repositry` is no setting'],
    ['with a name that is none of backup', '[backup]\nexclude = ["x"]\n', '`exclude` in [backup] is no setting'],
    ['with a value of another kind', 'threads = "two"\n', '`threads` must be a whole number'],
    ['with a list that is none', '[backup]\nexcludes = "*.iso"\n', '`excludes` in [backup] must be a list of texts'],
    ['with a value for a table', 'backup = 1\n', '`backup` must be a table'],
    ['with a descriptor', 'passphrase-fd = 3\n', '`passphrase-fd` is no setting'],
  ])('are refused in a file %s', (_, text, message) => {
    const config = place.file('wrong.toml', text);
    const { status, stderr } = place.cairn(['config', '--config', config]);
    expect(stderr).toContain(`${config}`);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  it('are refused when the file that is named is not there', () => {
    const { status, stderr } = place.cairn(['config', '--config', '/nonesuch.toml']);
    expect(status).toBe(2);
    expect(stderr).toContain('cannot read the configuration file /nonesuch.toml: ENOENT');
  });
});
