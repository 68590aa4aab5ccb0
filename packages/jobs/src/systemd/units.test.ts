import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { parseJobText } from '../job-file/read-job.ts';
import { CronSchedule } from '../schedule/cron.ts';
import { calendarsOf } from './calendar.ts';
import { daemonUnit, unitsOf, type Unit } from './units.ts';

const HARD = `description = "All of it: 100% \\"sure\\""
[repository]
address = "/backup/my repo"
[backup]
sources = ["/"]
[schedule]
cron = "30 2 * * 1-5"
time-zone = "Europe/Madrid"
[limits]
nice = 10
ionice = "idle"
`;

/** The next times that systemd itself computes from a calendar, as UTC. */
function systemdTimes(calendar: string, from: string, count: number): number[] {
  const shown = execFileSync(
    'systemd-analyze',
    ['calendar', `--iterations=${count}`, `--base-time=${from}`, calendar],
    { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', TZ: 'UTC', LC_ALL: 'C.UTF-8' } },
  );
  return [...shown.matchAll(/(?:Next elapse|Iter(?:ation|\.) #\d+): \w+ (\S+) (\S+) UTC/g)].map(([, day, time]) =>
    Date.parse(`${day}T${time}Z`),
  );
}

describe('the calendar of a timer', () => {
  it.each([
    ['30 2 * * *', ['*-*-* 02:30:00']],
    ['@hourly', ['*-*-* *:00:00']],
    ['*/20 8-17/3 * * mon-fri', ['Mon,Tue,Wed,Thu,Fri *-*-* 08,11,14,17:00,20,40:00']],
    ['0 0 1,15 jan,jul *', ['*-01,07-01,15 00:00:00']],
    ['0 4 13 * 5', ['*-*-13 04:00:00', 'Fri *-*-* 04:00:00']],
    ['0 4 * * 0,7', ['Sun *-*-* 04:00:00']],
    ['5/20 * * * *', ['*-*-* *:05,25,45:00']],
  ])('says %s', (cron, calendars) => {
    expect(calendarsOf(cron, undefined)).toEqual(calendars);
  });

  it.each(['0 0 L * *', '0 0 15W * *', '0 0 * * 5#2', '* * * *', '70 * * * *', '5-2 * * * *'])(
    'cannot say %s',
    (cron) => {
      expect(calendarsOf(cron, undefined)).toBeUndefined();
    },
  );

  it('fires when the schedule does, by the word of systemd', () => {
    const patterns = [
      '30 2 * * *',
      '*/20 8-17/3 * * mon-fri',
      '0 0 1,15 jan,jul *',
      '0 4 13 * 5',
      '0 4 * * 0',
      '15 3 29 2 *',
    ];
    const from = '2026-01-02 12:00:00';
    for (const pattern of patterns) {
      const calendars = calendarsOf(pattern, 'UTC') ?? [];
      const times = new Set(calendars.flatMap((calendar) => systemdTimes(calendar, from, 8)));
      expect(times.size).toBeGreaterThan(3);
      const cron = new CronSchedule(pattern, 'UTC');
      let ms = Date.parse(`${from.replace(' ', 'T')}Z`);
      for (const expected of [...times].sort((a, b) => a - b).slice(0, 4)) {
        ms = cron.next(ms) ?? 0;
        expect([pattern, new Date(ms).toISOString()]).toEqual([pattern, new Date(expected).toISOString()]);
      }
    }
  });
});

describe('the units of a job', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-units-'));
  const command = [process.execPath, '/opt/my cairn/50%/main.js', 'run', 'nightly'];

  function verify(units: readonly Unit[]): void {
    for (const { name, text } of units) writeFileSync(join(directory, name), text);
    const paths = units.map(({ name }) => join(directory, name));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line.includes('cairn-job'))).toEqual([]);
    expect(status).toBe(0);
  }

  it.each([
    ['of root', HARD, false],
    ['of a user', HARD, true],
    ['with hooks', `${HARD}[[hooks]]\nwhen = "before"\ncommand = ["true"]\n`, false],
  ])('are taken by systemd: %s', (_, text, isUser) => {
    const units = unitsOf(parseJobText(text, 'nightly'), {
      command,
      writes: ['/var/lib/cairn', '/var/cache/cairn'],
      isUser,
    });
    verify(units);
  });

  it.each([
    ['of root', false],
    ['of a user', true],
  ])('of the daemon are taken by systemd: %s', (_, isUser) => {
    const unit = daemonUnit({ command: [...command.slice(0, 2), 'job', 'daemon'], isUser });
    verify([unit]);
    expect(unit.text).toContain(`ExecStart=${process.execPath} "/opt/my cairn/50%%/main.js" job daemon\n`);
    expect(unit.text).toContain(`WantedBy=${isUser ? 'default' : 'multi-user'}.target\n`);
    expect(unit.text).toContain('Restart=on-failure\n');
  });

  it('leave hooks the devices and the mounts of the machine', () => {
    // Each of these closes devices or makes a mount name space (systemd.exec(5)).
    const narrow = /^(ProtectClock|ProtectKernel\w+|ProtectSystem|ProtectHome|Private\w+|ReadWritePaths|DeviceAllow)=/m;
    const text = `${HARD}[[hooks]]\nwhen = "before"\ncommand = ["mount", "/mnt/backup"]\n`;
    const [service] = unitsOf(parseJobText(text, 'nightly'), { command, writes: ['/var/lib/cairn'], isUser: false });
    for (const unit of [service, daemonUnit({ command, isUser: false })]) expect(unit?.text).not.toMatch(narrow);
  });

  it('say what the job says', () => {
    const [service, timer] = unitsOf(parseJobText(HARD, 'nightly'), {
      command,
      writes: ['/var/lib/cairn'],
      isUser: false,
    });
    expect(service).toMatchObject({ name: 'cairn-job-nightly.service' });
    expect(service?.text).toContain(`ExecStart=${process.execPath} "/opt/my cairn/50%%/main.js" run nightly\n`);
    expect(service?.text).toContain('ReadWritePaths=-/var/lib/cairn "-/backup/my repo"\n');
    expect(service?.text).toContain('Nice=10\nIOSchedulingClass=idle\n');
    expect(service?.text).toContain('ProtectSystem=strict\n');
    expect(timer?.text).toContain('OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Madrid\n');
    // Each of these hides files, which would be missing in the archive (systemd.exec(5)).
    expect(service?.text).not.toMatch(
      /^(ProtectKernelModules|PrivateTmp|PrivateDevices|InaccessiblePaths|ProtectHome=yes)/m,
    );
    expect(timer?.text).toContain('Persistent=yes\n');
    rmSync(directory, { recursive: true, force: true });
  });

  it('keep a line a line, whatever is in a word', () => {
    const { text } = daemonUnit({ command: ['/usr/bin/env', 'A=one\nExecStart=/bin/false'], isUser: false });
    expect(text).toContain('ExecStart=/usr/bin/env "A=one\\nExecStart=/bin/false"\n');
  });

  it('are refused for a job without a time', () => {
    const job = parseJobText('[repository]\naddress = "/x"\n[check]\n', 'nightly');
    expect(() => unitsOf(job, { command, writes: [], isUser: false })).toThrow(/no schedule that a timer/);
  });
});
