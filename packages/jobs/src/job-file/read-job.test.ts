import { homedir } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { examineJob, parseJobText, problemText } from './read-job.ts';

const LEAST = '[repository]\naddress = "/backup/repo"\n[check]\n';

function problems(text: string): string[] {
  const examined = examineJob(text, 'nightly');
  return 'problems' in examined ? examined.problems.map(problemText) : [];
}

describe('a job file', () => {
  it('says times in milliseconds, sizes in bytes, shares as parts of one, paths from the root', () => {
    const job = parseJobText(
      `policy = "stop"
[repository]
address = "~/repo"
key-file = "~/key"
retry-for = "90s"
[backup]
sources = ["/etc", "~/mail"]
exclude-larger-than = "2 GiB"
soft-time = "2h"
[[hooks]]
when = "before"
step = "backup"
command = ["/bin/true", "one two"]
time-limit = 1.5
[prune]
keep-daily = 7
max-share = "25%"
[check]
time-budget = "10m"
[schedule]
cron = "30 2 * * *"
time-zone = "Europe/Madrid"
[schedule.on-change]
debounce = "5s"
[limits]
minimum-free = "1G"
bandwidth = [{ hours = "22:00-06:00", upload = "2M" }]
`,
      'nightly',
    );
    expect(job).toEqual({
      name: 'nightly',
      file: undefined,
      policy: 'stop',
      repository: { address: `${homedir()}/repo`, 'key-file': `${homedir()}/key`, 'retry-for': 90_000 },
      backup: { sources: ['/etc', `${homedir()}/mail`], 'exclude-larger-than': 2 * 1024 ** 3, 'soft-time': 7_200_000 },
      hooks: [{ when: 'before', step: 'backup', command: ['/bin/true', 'one two'], 'time-limit': 1500 }],
      prune: { 'keep-daily': 7, 'max-share': 0.25 },
      check: { 'time-budget': 600_000 },
      schedule: { cron: '30 2 * * *', 'time-zone': 'Europe/Madrid', 'on-change': { debounce: 5000 } },
      limits: { 'minimum-free': 1024 ** 3, bandwidth: [{ hours: '22:00-06:00', upload: 2 * 1024 ** 2 }] },
    });
  });

  it.each([
    ['an unknown key', `${LEAST}share = "5%"\nshares = "5%"\n`, 'line 5: check.shares: is nothing that can be set'],
    ['a text for a list', `${LEAST}[backup]\nsources = "/etc"\n`, 'line 5: backup.sources: expected array'],
    [
      'a relative path',
      `${LEAST}[backup]\nsources = [\n"etc"]\n`,
      'line 5: backup.sources[0]: expected an absolute path',
    ],
    [
      'a time that is none',
      '[repository]\naddress="/x"\nretry-for = "soon"\n[check]\n',
      'line 3: repository.retry-for: expected a time',
    ],
    ['no repository', '[check]\n', 'repository: expected object'],
    ['nothing to do', '[repository]\naddress = "/x"\n', 'expected something to do'],
    [
      'the second of two tables',
      `${LEAST}[[hooks]]\nwhen="after"\ncommand=["x"]\n[[hooks]]\nwhen="later"\ncommand=["x"]\n`,
      'line 8: hooks[1].when: ',
    ],
    ['an empty policy', `${LEAST}[prune]\nkeep-daily = 0\n`, 'line 4: prune: expected something to keep'],
    ['two policies', `${LEAST}[prune]\nkeep-default = true\nkeep-daily = 3\n`, 'line 4: prune: `keep-default` stands'],
    ['a pattern of no time', `${LEAST}[schedule]\ncron = "61 * * * *"\n`, 'line 5: schedule.cron: '],
    [
      'seconds in a pattern',
      `${LEAST}[schedule]\ncron = "0 0 2 * * *"\n`,
      'line 5: schedule.cron: expected five fields',
    ],
    ['a day that never comes', `${LEAST}[schedule]\ncron = "0 0 31 2 *"\n`, 'line 5: schedule.cron: never comes'],
    [
      'a time zone that is none',
      `${LEAST}[schedule]\ncron = "@daily"\ntime-zone = "Mars/Base"\n`,
      'line 6: schedule.time-zone: ',
    ],
    ['hours that are none', `${LEAST}[[limits.bandwidth]]\nhours = "8-25"\n`, 'line 5: limits.bandwidth[0].hours: '],
    ['an address that is none', '[repository]\naddress="gopher://x/y"\n[check]\n', 'line 2: repository.address: '],
    [
      'a fingerprint that is none',
      '[repository]\naddress="/x"\nfingerprint="abc"\n[check]\n',
      'line 3: repository.fingerprint: ',
    ],
    ['a preset that there is not', `${LEAST}[backup]\npresets = ["sytem"]\n`, 'line 5: backup.presets[0]: '],
    ['a pattern that is wrong', `${LEAST}[backup]\nexcludes = ["re:("]\n`, 'line 5: backup.excludes[0]: '],
    [
      'a time zone of a prune that is none',
      `${LEAST}[prune]\nkeep-daily = 1\ntime-zone = "Mars/Base"\n`,
      'line 6: prune.time-zone: ',
    ],
    ['no time at all', `${LEAST}[limits]\nhard-time = 0\n`, 'line 5: limits.hard-time: expected more than nothing'],
    [
      'a time that no timer holds',
      `${LEAST}[[hooks]]\nwhen = "before"\ncommand = ["true"]\ntime-limit = "25d"\n`,
      'line 7: hooks[0].time-limit: no more than 24 days',
    ],
    [
      'a port that there is not',
      `${LEAST}[limits]\nreachable-hosts = ["example.org:70000"]\n`,
      'line 5: limits.reachable-hosts[0]: expected a port',
    ],
    [
      'a file that is dumped twice',
      `${LEAST}[[dumps]]\nkind = "sqlite"\nfiles = ["/a/b.db", "/a//b.db"]\n`,
      'line 6: dumps[0].files: names a file twice',
    ],
    [
      'a name that no file can have',
      `${LEAST}[[dumps]]\nkind = "command"\ncommand = ["x"]\nfile-name = "${'ü'.repeat(128)}"\n`,
      'line 7: dumps[0].file-name: is too long',
    ],
    ['a backup of nothing', `${LEAST}[backup]\npresets = ["caches"]\n`, 'line 4: backup: expected `sources`'],
    ['no TOML', '[repository\n', 'line 1: '],
  ])('names the line of %s', (_, text, expected) => {
    expect(problems(text).join('\n')).toContain(expected);
  });

  it('tells all that is wrong', () => {
    expect(problems(`${LEAST}a = 1\nb = 2\n[backup]\nsources = ["/etc"]\nthreads = -1\n`)).toHaveLength(3);
  });

  it('finds no keys in texts of several lines', () => {
    const text = `${LEAST}[backup]\ncomment = """\nsources = nothing\n[prune]\n"""\nsources = 3\n`;
    expect(problems(text)[0]).toMatch(/^line 9: backup.sources: /);
  });

  it('has the name of its file', () => {
    expect(parseJobText(LEAST, 'weekly').name).toBe('weekly');
    expect(parseJobText(`name = "hourly"\n${LEAST}`, 'stdin').name).toBe('hourly');
    const other = examineJob(`name = "hourly"\n${LEAST}`, 'weekly', '/etc/cairn/jobs/weekly.toml');
    expect(other).toMatchObject({ problems: [{ line: 1, place: 'name' }] });
    expect(examineJob(LEAST, 'Weekly')).toMatchObject({ problems: [{ place: '' }] });
  });

  it('is a job or has problems, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...LEAST.split(''), '"', "'", '[', '=', '\0', 'é', '\n')), (parts) => {
        const text = LEAST.slice(0, parts.length) + parts.join('') + LEAST.slice(parts.length);
        const examined = examineJob(text, 'nightly');
        expect('job' in examined || examined.problems.length > 0).toBe(true);
      }),
    );
  });
});
