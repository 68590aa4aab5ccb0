import { describe, expect, it } from 'vitest';

import { ExcludeRules } from './exclude.ts';
import { PRESETS, presetNamed } from './presets.ts';

function excludes(name: string, path: string, isDirectory = true): boolean {
  const { excludes: patterns } = presetNamed(name);
  return new ExcludeRules(patterns.map((pattern) => ({ pattern, origin: `preset ${name}` }))).decide(path, isDirectory)
    .excluded;
}

describe('PRESETS', () => {
  it('are named, described in one sentence, and made of rules that parse', () => {
    expect(PRESETS.map((preset) => preset.name)).toEqual(['maadix', 'system', 'caches', 'trash', 'development']);
    for (const { description, excludes: patterns, name } of PRESETS) {
      expect(description).toMatch(/^[A-Z][^.]*(\.[a-z_][^.]*)*\.$/);
      expect(new Set(patterns).size).toBe(patterns.length);
      expect(() => new ExcludeRules(patterns.map((pattern) => ({ pattern, origin: `preset ${name}` })))).not.toThrow();
    }
  });

  it('names the known ones for an unknown one', () => {
    expect(() => presetNamed('cache')).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: 'there is no preset `cache`',
        hint: 'The presets are maadix, system, caches, trash, development.',
      }),
    );
  });

  it('maadix takes these paths without these', () => {
    const { sources, excludes: patterns } = presetNamed('maadix');
    expect(sources.join(' ')).toBe('/boot /etc /home /opt /root /usr /srv /var');
    expect(patterns.join(' ')).toBe(
      '/home/.trash /usr/bin /usr/lib /usr/sbin /usr/src /var/backups /var/cache /var/lib/apt /var/lib/docker ' +
        '/var/lib/dpkg /var/lib/fail2ban /var/lib/mlocate /var/lib/mongodb /var/lib/munin /var/lib/mysql ' +
        '/var/lib/postgresql /var/lib/smartmontools',
    );
  });

  it.each([
    ['maadix', '/var/lib/mysql'],
    ['maadix', '/home/.trash'],
    ['system', '/proc/1'],
    ['system', '/tmp/x'],
    ['system', '/home/lost+found'],
    ['system', '/swapfile'],
    ['caches', '/home/a/.cache'],
    ['caches', '/root/.cache'],
    ['caches', '/home/a/.config/google-chrome/Default/Code Cache'],
    ['caches', '/home/a/.config/Slack/GPUCache'],
    ['caches', '/home/a/.mozilla/firefox/x.default/cache2'],
    ['caches', '/srv/app/node_modules/.cache'],
    ['trash', '/home/a/.local/share/Trash'],
    ['trash', '/home/.trash'],
    ['trash', '/media/a/disk/.Trash-1000'],
    ['trash', '/srv/share/#recycle'],
    ['trash', '/mnt/x/$RECYCLE.BIN'],
    ['development', '/srv/app/node_modules'],
    ['development', '/home/a/code/x/target'],
    ['development', '/home/a/x/__pycache__'],
    ['development', '/home/a/x/.venv'],
  ])('%s leaves out %s', (name, path) => {
    expect(excludes(name, path)).toBe(true);
  });

  it.each([
    ['maadix', '/usr/local'],
    ['maadix', '/var/lib'],
    ['maadix', '/var/lib/mysql-files'],
    ['system', '/proc'],
    ['system', '/tmp'],
    ['system', '/home/a/tmp/x'],
    ['caches', '/home/a/.config/google-chrome/Default'],
    ['caches', '/var/lib/app/.cache'],
    ['trash', '/home/vmail/example.org/a/Maildir/.Trash'],
    ['trash', '/home/a/Maildir/.Trash-2019'],
    ['development', '/etc/target'],
    ['development', '/home/a/src'],
  ])('%s keeps %s', (name, path) => {
    expect(excludes(name, path)).toBe(false);
  });
});
