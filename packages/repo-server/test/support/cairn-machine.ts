import { compareTrees } from '@cairn/core/testing';
import { chmodSync, chownSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { listenWith, makeCertificate } from './certificate.ts';
import { CAIRN_USER } from './systemd-files.ts';
import { SystemdMachine } from './systemd-machine.ts';

/** The units that are shipped. */
const UNITS = ['../../systemd/cairn-server.service', '../../../api/systemd/cairn-panel.service'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const SERVER_FILE = `state = "/var/lib/cairn-server"
[listen]
${listenWith({ certificate: '/etc/cairn/server.pem', key: '/etc/cairn/server.key' }, '127.0.0.1:8390')}
[scrub]
every = "1d"
[repositories.main]
path = "/srv/backup/main"
reserve = "1 MB"
`;
const PANEL_FILE = `[[repositories]]
name = "near"
address = "/srv/near"
key-file = "/root/near.key"
`;
const SERVER = 'https://localhost:8390';

/** What each repository is opened with to look at it, by the job that backs up to it. */
const OPENING = {
  far: ['--repository', SERVER, '--key-file', '/root/far.key', '--credentials-file', '/root/read.token'],
  near: ['--repository', '/srv/near', '--key-file', '/root/near.key'],
} as const;

/** A job for the server, and one for a directory of the machine, with each kind of step. */
const JOBS = {
  far: `[repository]
address = "${SERVER}"
key-file = "/root/write.key"
credentials-file = "/root/append.token"
[limits]
nice = 10
ionice = "idle"
`,
  near: `[repository]
address = "/srv/near"
key-file = "/root/near.key"
[prune]
keep-last = 5
[compact]
[check]
share = "100%"
`,
} as const;

export type JobName = keyof typeof JOBS;
export const JOB_NAMES: readonly JobName[] = ['far', 'near'];

/** Longer than anything takes here that is waited for. */
const PATIENCE_MS = 20_000;

/** A machine on which somebody installed Cairn as the guides say: a server, a panel, two jobs, and two repositories for them. */
export class CairnMachine extends SystemdMachine {
  /** Writes what an administrator does, before the first boot. */
  configure(): void {
    const etc = this.path('etc/cairn');
    mkdirSync(`${etc}/jobs`, { recursive: true });
    makeCertificate(etc);
    for (const name of ['server.pem', 'server.key']) chownSync(`${etc}/${name}`, CAIRN_USER, CAIRN_USER);
    chmodSync(`${etc}/server.key`, 0o600);
    writeFileSync(`${etc}/server.toml`, SERVER_FILE);
    writeFileSync(`${etc}/panel.toml`, PANEL_FILE);
    // A time that is far: when the timers of these jobs start them, it is because a run was missed.
    const schedule = `[schedule]\ncron = "0 ${(new Date().getUTCHours() + 12) % 24} * * *"\n`;
    for (const name of JOB_NAMES) {
      const backup = `[backup]\nsources = ["${this.sourceOf(name)}"]\n`;
      writeFileSync(`${etc}/jobs/${name}.toml`, JOBS[name] + backup + schedule);
      mkdirSync(this.path(this.sourceOf(name)));
    }
    for (const unit of UNITS) copyFileSync(unit, this.path('etc/systemd/system', basename(unit)));
    for (const name of ['srv/backup', 'var/lib/cairn-server']) {
      mkdirSync(this.path(name), { mode: 0o700 });
      chownSync(this.path(name), CAIRN_USER, CAIRN_USER);
    }
  }

  /** Switches the server on, lets three clients in, and makes the repository. */
  startServer(): void {
    this.good(['cairn-server', 'create', '--repo', 'main'], { user: 'cairn' });
    for (const role of ['maintain', 'append', 'read']) {
      const words = ['client', 'add', role, '--repo', 'main', '--role', role];
      writeFileSync(this.path(`root/${role}.token`), this.good(['cairn-server', ...words], { user: 'cairn' }), {
        mode: 0o600,
      });
    }
    this.systemctl('enable', '--now', 'cairn-server');
    const key = ['--key-file', '/root/far.key'];
    this.cairn('init', '--repository', SERVER, ...key, '--credentials-file', '/root/maintain.token');
    const issue = ['key', 'issue', '--rights', 'write', '--output', '/root/write.key'];
    this.cairn(...issue, '--repository', SERVER, ...key);
  }

  startPanel(): void {
    this.cairn('init', '--repository', '/srv/near', '--key-file', '/root/near.key');
    this.systemctl('enable', '--now', 'cairn-panel');
  }

  cairn(...words: string[]): string {
    return this.good(['cairn', ...words], { env: { CAIRN_CA_FILE: '/etc/cairn/ca.pem' } });
  }

  /** Backs up to the server as a nightly host does. */
  backUp(): void {
    const credentials = ['--key-file', '/root/write.key', '--credentials-file', '/root/append.token'];
    this.cairn('backup', '--repository', SERVER, ...credentials, this.sourceOf('far'));
  }

  /** How the newest archive on the server differs from its source. */
  differencesOfFar(): readonly string[] {
    this.cairn('restore', 'latest', ...OPENING.far, '--to', '/root/restored');
    const restored = this.path('root/restored');
    const differences = compareTrees(this.path(this.sourceOf('far')), `${restored}${this.sourceOf('far')}`);
    rmSync(restored, { recursive: true });
    return differences;
  }

  sourceOf(job: JobName): string {
    return `/root/source-${job}`;
  }

  /** How many archives the repository of a job has. */
  archivesOf(job: JobName): number {
    return (JSON.parse(this.cairn('list', '--json', ...OPENING[job])) as unknown[]).length;
  }

  systemctl(...words: string[]): string {
    return this.good(['systemctl', ...words]);
  }

  isActive(unit: string): boolean {
    return this.run(['systemctl', 'is-active', unit]).stdout.trim() === 'active';
  }

  panelAnswers(): boolean {
    const ask = 'fetch(process.argv[1]).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))';
    return this.run(['node', '-e', ask, 'http://127.0.0.1:8787/api/v1/health']).status === 0;
  }

  /** Adds to a unit, as `systemctl edit` does. */
  edit(unit: string, text: string): void {
    const directory = this.path(`etc/systemd/system/${unit}.d`);
    mkdirSync(directory);
    writeFileSync(`${directory}/override.conf`, text);
  }

  /** Waits for something that systemd does by itself. */
  async until(what: () => boolean): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; !what(); await sleep(100)) {
      if (Date.now() > end) throw new Error(`it did not come: ${this.journal()}`);
    }
  }
}
