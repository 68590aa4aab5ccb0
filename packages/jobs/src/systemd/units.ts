import { CairnError, parseAddress } from '@cairn/core';

import type { JobFile } from '../job-file/read-job.ts';
import { calendarsOf } from './calendar.ts';

export interface UnitOptions {
  /** The command line that runs the job, word by word, absolute. */
  readonly command: readonly string[];
  /** Directories that a run writes to: state and cache. */
  readonly writes: readonly string[];
  /** For units of one user, who cannot give rights away. */
  readonly isUser: boolean;
}

/** A unit, ready to be written. */
export interface Unit {
  /** `cairn-job-nightly.timer`. */
  readonly name: string;
  readonly text: string;
}

/** What all names of units of jobs begin with. */
export const UNIT_PREFIX = 'cairn-job-';

/** The service that runs all jobs: no job can have its name. */
export const DAEMON_UNIT = 'cairn-jobs.service';

/** Names of the units of a job. */
export function unitNames(job: string): { readonly service: string; readonly timer: string } {
  return { service: `${UNIT_PREFIX}${job}.service`, timer: `${UNIT_PREFIX}${job}.timer` };
}

/**
 * A service that runs the job, and a timer with its schedule. Rejects with `USAGE` when the job has no `cron`, or one that a timer cannot
 * say.
 */
export function unitsOf(job: JobFile, options: UnitOptions): readonly Unit[] {
  const { service, timer } = unitNames(job.name);
  return [
    { name: service, text: serviceText(job, options) },
    { name: timer, text: timerText(job) },
  ];
}

/** A service that sees to all jobs as long as the machine runs: `cairn job daemon`. */
export function daemonUnit({ command, isUser }: Pick<UnitOptions, 'command' | 'isUser'>): Unit {
  const text = lines([
    '[Unit]',
    'Description=Jobs of Cairn',
    ...(isUser ? [] : NETWORK),
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${commandLine(command)}`,
    `SyslogIdentifier=${DAEMON_UNIT.replace('.service', '')}`,
    'Restart=on-failure',
    'RestartSec=30s',
    '# 2: an option or a path of the command is wrong, which does not pass.',
    'RestartPreventExitStatus=2',
    ...STOPPING,
    'UMask=0077',
    ...(isUser ? [] : ['', '# Jobs may have hooks and dumps, which may need to write anywhere.', ...FOR_ANY_PROGRAM]),
    '',
    '[Install]',
    `WantedBy=${isUser ? 'default.target' : 'multi-user.target'}`,
  ]);
  return { name: DAEMON_UNIT, text };
}

const NETWORK = ['After=network-online.target', 'Wants=network-online.target'];

const STOPPING = [
  '# SIGTERM goes to cairn alone, which ends what it started and comes to a clean end; what is left after that is killed.',
  'KillMode=mixed',
  'TimeoutStopSec=5min',
];

/**
 * Hooks stop services, mount disks, become other users: only what none of them needs is taken. Nothing here makes a mount name space,
 * in which a hook would mount for itself alone, or closes devices, as `ProtectClock=` does (systemd.exec(5)).
 */
const FOR_ANY_PROGRAM = [
  'ProtectHostname=yes',
  'LockPersonality=yes',
  'RestrictRealtime=yes',
  'SystemCallArchitectures=native',
];

function timerText({ name, schedule, description }: JobFile): string {
  const { cron, 'time-zone': zone, 'catch-up': catchUp = true } = schedule ?? {};
  const calendars = cron === undefined ? undefined : calendarsOf(cron, zone);
  if (calendars === undefined) {
    throw new CairnError('USAGE', `the job ${name} has no schedule that a timer of systemd can follow`, {
      hint: 'Set `cron` in [schedule] with numbers, names, ranges, lists and steps; all else is for `cairn job daemon`.',
    });
  }
  return lines([
    '[Unit]',
    `Description=Schedule of the Cairn job ${name}${description === undefined ? '' : `: ${oneLine(description)}`}`,
    '',
    '[Timer]',
    ...calendars.map((calendar) => `OnCalendar=${calendar}`),
    '# Runs that were missed while the machine was off are caught up with by one run.',
    `Persistent=${catchUp ? 'yes' : 'no'}`,
    'AccuracySec=1s',
    '',
    '[Install]',
    'WantedBy=timers.target',
  ]);
}

function serviceText(job: JobFile, { command, writes, isUser }: UnitOptions): string {
  const { name, repository, limits = {} } = job;
  const address = parseAddress(repository.address);
  const isLocal = address.kind === 'directory';
  const paths = [...writes, ...(isLocal ? [address.path] : [])];
  const { nice, ionice } = limits;
  return lines([
    '[Unit]',
    `Description=Cairn job ${name}${job.description === undefined ? '' : `: ${oneLine(job.description)}`}`,
    ...(isLocal || isUser ? [] : NETWORK),
    '',
    '[Service]',
    'Type=oneshot',
    `ExecStart=${commandLine(command)}`,
    `SyslogIdentifier=${UNIT_PREFIX}${name}`,
    '# 3: done, with warnings.',
    'SuccessExitStatus=3',
    ...STOPPING,
    ...(nice === undefined ? [] : [`Nice=${nice}`]),
    ...(ionice === undefined ? [] : [`IOSchedulingClass=${ionice}`]),
    'UMask=0077',
    ...(isUser ? [] : hardening(job, paths)),
  ]);
}

/**
 * What a backup of a whole system still needs: to read every file, with all its attributes. Nothing here may hide files, as
 * `ProtectKernelModules=` hides those of /usr/lib/modules and `PrivateTmp=` those of /tmp: they would be missing in the archive, and nobody
 * told. The filter of calls lets no module be loaded and nothing be mounted. Hooks and dumps are programs of others and get more room.
 */
function hardening({ hooks = [], dumps = [] }: JobFile, paths: readonly string[]): readonly string[] {
  const runsOthers = hooks.length > 0 || dumps.length > 0;
  if (runsOthers) return ['', '# The job has hooks or dumps, which may need to write anywhere.', ...FOR_ANY_PROGRAM];
  return [
    '',
    '# Everything can be read, and nothing be written but what a run needs.',
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    `ReadWritePaths=${paths.map((path) => quoted(`-${path}`)).join(' ')}`,
    '# CAP_SYS_ADMIN: without it, attributes whose names begin with `trusted.` are not even listed.',
    'CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_NICE CAP_KILL CAP_LINUX_IMMUTABLE CAP_SYS_ADMIN',
    'NoNewPrivileges=yes',
    'RestrictNamespaces=yes',
    '# V8 protects the code that it compiles with keys for memory, where the processor has them.',
    'SystemCallFilter=@system-service @pkey',
    'SystemCallErrorNumber=EPERM',
    'ProtectKernelLogs=yes',
    'ProtectClock=yes',
    ...FOR_ANY_PROGRAM,
  ];
}

function commandLine(words: readonly string[]): string {
  return words.map((word) => quoted(word).replaceAll('$', '$$$$')).join(' ');
}

/** A word of a command line or a path, as systemd.syntax(7) and systemd.service(5) read it. */
function quoted(word: string): string {
  const escaped = word.replaceAll('%', '%%').replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return /^[\w@%+=:,./-]+$/.test(word) ? escaped : `"${escaped}"`;
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}%\\]+/gu, ' ');
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
