import { spawnBound } from '@cairn/core/testing';
import { spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { ProcessGroup } from './process-group.ts';
import { CAIRN_USER, missingFile, SYSTEMD, UNIT_PATH, writeMachineFiles } from './systemd-files.ts';

const BOOT = readFileSync(new URL('systemd-machine.sh', import.meta.url), 'utf8');
const CHECKOUT = fileURLToPath(new URL('../../../..', import.meta.url));

/** A machine that takes longer to start, or a command that takes longer in it, hangs. */
const PATIENCE_MS = 30_000;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin';

/** Rights to change the kernel for everybody: nothing in the machine has them. Without the right to switch off, systemd ends instead. */
const TAKEN_AWAY = '-sys_module,-sys_time,-sys_rawio,-syslog,-sys_boot,-mknod,-mac_admin,-mac_override';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Who runs it; root unless given. */
  readonly user?: 'cairn';
  /** Variables beside PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Running {
  /** Outside: it waits for the machine's process 1. */
  readonly parent: ChildProcess;
  /** Number of the machine's process 1 on the real machine. */
  readonly first: number;
  readonly group: ProcessGroup;
}

/**
 * A machine of a test's own: systemd as process 1 of name spaces of its own, with a root, a network and processes of its own. Of the real
 * machine it sees the programs and this project, read-only. /etc, /var, /srv and /root are folders of `directory`, and outlive a boot; all
 * else is new with each.
 */
export class SystemdMachine implements AsyncDisposable {
  readonly directory = realpathSync(mkdtempSync('/var/tmp/cairn-systemd-'));
  #running: Running | undefined;

  constructor() {
    writeMachineFiles(this.directory);
  }

  /** Why no such machine can be made here; undefined when one can. */
  static async lacking(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return 'it takes root to start a systemd';
    const missing = missingFile();
    if (missing !== undefined) return `there is no ${missing}`;
    const spaces = ['--mount', '--pid', '--fork', '--uts', '--ipc', '--net', '--cgroup', '--mount-proc'];
    const { status, stderr } = spawnSync('unshare', [...spaces, 'true'], { encoding: 'utf8' });
    if (status !== 0) return `unshare does not work here: ${stderr}`;
    try {
      await ProcessGroup.make(`cairn-probe-${process.pid}`).remove();
      return undefined;
    } catch (cause) {
      return `no group of processes can be made here: ${String(cause)}`;
    }
  }

  /** Where a file of the machine lies on the real one: `path('etc/passwd')`. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Resolves when all that is switched on has started. Gives how systemd finds the whole: `running`, or `degraded` when a unit failed. */
  async boot(): Promise<string> {
    const group = ProcessGroup.make(basename(this.directory));
    const spaces = [
      '--mount',
      '--propagation',
      'private',
      '--pid',
      '--fork',
      '--kill-child',
      '--uts',
      '--ipc',
      '--net',
    ];
    // The group before its name space: what it is then is the root of all groups that the machine sees. 0 is whoever writes.
    const enter = 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup -- bash -c "$@"';
    const place = [this.directory, CHECKOUT, realpathSync(process.execPath)];
    const variables = [
      'container=cairn-test',
      `PATH=${PATH}`,
      'LC_ALL=C.UTF-8',
      `SYSTEMD_UNIT_PATH=${UNIT_PATH}`,
      // Programs that make units of what they find on the disks of the machine.
      'SYSTEMD_GENERATOR_PATH=/etc/systemd/none',
      'SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/etc/systemd/none',
    ];
    const systemd = [SYSTEMD, '--system', '--unit=multi-user.target', '--show-status=no', '--log-target=journal'];
    const first = ['env', '-i', ...variables, 'setpriv', `--bounding-set=${TAKEN_AWAY}`, '--', ...systemd];
    const args = [...spaces, '--', 'sh', '-c', enter, group.directory, BOOT, 'boot', ...place, ...first];
    const parent = spawnBound('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [parent.stdout, parent.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
    }
    const until = Date.now() + PATIENCE_MS;
    while (Date.now() < until && parent.exitCode === null && parent.signalCode === null) {
      await sleep(50);
      const number = childOf(parent);
      if (!isSystemd(number)) continue;
      this.#running = { parent, first: number, group };
      const { stdout } = this.run(['systemctl', 'is-system-running', '--wait']);
      if (/^(running|degraded)$/.test(stdout.trim())) return stdout.trim();
    }
    parent.kill('SIGKILL');
    await group.remove();
    this.#running = undefined;
    throw new Error(`the machine did not start: ${said}`);
  }

  /** Runs a command in the machine, and waits for its end. */
  run(command: readonly string[], { user, env = {} }: CommandOptions = {}): Outcome {
    if (this.#running === undefined) throw new Error('the machine is off');
    const spaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
    const identity = user === undefined ? [] : [`--reuid=${CAIRN_USER}`, `--regid=${CAIRN_USER}`, '--clear-groups'];
    const args = ['--target', String(this.#running.first), ...spaces, '--', 'setpriv', ...identity];
    const HOME = user === undefined ? '/root' : '/var/lib/cairn-server';
    const outcome = spawnSync('nsenter', [...args, `--bounding-set=${TAKEN_AWAY}`, '--', ...command], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      env: { PATH, HOME, SYSTEMD_UNIT_PATH: UNIT_PATH, LC_ALL: 'C.UTF-8', ...env },
    });
    if (outcome.error !== undefined) throw outcome.error;
    const { status, stdout, stderr } = outcome;
    return { status, stdout, stderr };
  }

  /** Runs what must go well; gives its standard output. */
  good(command: readonly string[], options: CommandOptions = {}): string {
    const { status, stdout, stderr } = this.run(command, options);
    if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  /** A property of a unit, as systemd has it now. */
  property(unit: string, name: string): string {
    return this.good(['systemctl', 'show', '--value', `--property=${name}`, unit]).trim();
  }

  /** What was logged since the machine was made: all of it, or what a unit said and systemd said of it. */
  journal(unit?: string): string {
    const one = unit === undefined ? [] : ['--unit', unit];
    return this.good(['journalctl', '--no-pager', '--quiet', '--output=short-precise', ...one]);
  }

  /** Switches off as an administrator does; resolves when nothing runs any more. */
  async powerOff(): Promise<void> {
    if (this.#running === undefined) return;
    const { parent, group } = this.#running;
    const ended = once(parent, 'exit');
    this.good(['systemctl', '--no-block', 'poweroff']);
    await ended;
    this.#running = undefined;
    await group.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running !== undefined) {
      const { parent, group } = this.#running;
      this.#running = undefined;
      const ended = parent.exitCode === null && parent.signalCode === null ? once(parent, 'exit') : undefined;
      await group.remove();
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Number of the child of `unshare`; 0 while it has none. */
function childOf({ pid }: ChildProcess): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  } catch {
    return 0;
  }
}

/** Whether a process is what the script of the boot executes at its end. */
function isSystemd(pid: number): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(`${SYSTEMD}\0`);
  } catch {
    return false;
  }
}
