import {
  CairnError,
  letHeapGrow,
  shareOneHeap,
  systemEnvironment,
  systemTimer,
  type ArchiveRecord,
  type KeyFile,
} from '@cairn/core';
import type { LiveMount, OwnerRules, PatientStore } from '@cairn/fuse';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';

import type { Context } from '../context.ts';
import {
  isHandedOver,
  mountInBackground,
  outcomeOf,
  receiveKey,
  report,
  type MountedReport,
} from '../mounting/handover.ts';
import { withFetchedPacks } from '../mounting/fetched-packs.ts';
import { mountPlace } from '../mounting/mount-place.ts';
import { ownerId, permissions } from '../mounting/owner.ts';
import { obtainKey } from '../keys/obtain-key.ts';
import { clientFilesOf, openRepository, openStore } from '../open-repository.ts';
import { count } from '../option-values.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

interface MountOptions {
  readonly all?: boolean;
  readonly allowOther?: boolean;
  readonly uid?: string;
  readonly gid?: string;
  readonly umask?: string;
  readonly ignorePermissions?: boolean;
  readonly foreground?: boolean;
  readonly wait?: number;
  readonly logFile?: string;
  readonly pin?: boolean;
}

/** Seconds that a read waits for a repository that does not answer, unless told. */
const WAIT_S = 120;
const LONGEST_WAIT_S = 86_400;
/** Bytes of the heap up to which it may triple: contents take no more, however large they are; a walk through many files does. */
const SMALL_HEAP_BYTES = 20 * 1024 * 1024;

export const mount: Verb = {
  define(command) {
    command
      .description(
        'Show an archive, or with --all the whole repository, as a read-only file system. It stays until `cairn umount`, in ' +
          'the background unless --foreground is given.',
      )
      .argument('<archive-or-directory>', 'archive: name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('[directory]', 'where: an empty directory; with --all the only argument')
      .option('--all', 'a directory for each series, and in it one for each archive; new ones appear')
      .option('--allow-other', 'other users may look too')
      .option('--uid <user>', 'show everything as belonging to this user')
      .option('--gid <group>', 'show everything as belonging to this group')
      .option('--umask <octal>', 'take away these permissions; access control lists are not shown then')
      .option('--ignore-permissions', 'whoever may look may read everything')
      .option('--foreground', 'stay until it is unmounted; Ctrl-C unmounts')
      .option(
        '--wait <seconds>',
        `how long a read waits when the repository does not answer, before it fails (default: ${WAIT_S})`,
        count(0, LONGEST_WAIT_S),
      )
      .option('--no-pin', 'do not keep the archive from being dropped; for a repository that this key cannot write to')
      .option('--log-file <file>', 'where messages go in the background (default: mount.log in the state directory)')
      .addHelpText('after', '\nExample:\n  cairn mount -r /backup/repo latest /mnt/backup --allow-other');
  },

  async run(context, { operands, options: given }) {
    const options = given as MountOptions;
    const { ref, directory } = placesOf(operands, options);
    if (isHandedOver(context.variables)) return await serveHandedOver(context, ref, directory, options);
    if (options.foreground === true) {
      const { live, shown, close } = await start(context, ref, directory, options);
      await tell(context, shown);
      return await serve(context, live, close);
    }
    const { store, id } = await openStore(context);
    let key: KeyFile;
    try {
      key = (await obtainKey(context, store, id, clientFilesOf(context).clientState)).keyFile;
    } finally {
      await store[Symbol.asyncDispose]();
    }
    await tell(context, await mountInBackground(key, logFileOf(context, options), context.signal));
    return 0;
  },
};

/** Rejects with `USAGE` when there are not as many operands as there should be. */
function placesOf(
  operands: readonly string[],
  { all }: MountOptions,
): { readonly ref: string | undefined; readonly directory: string } {
  const wanted = all === true ? 1 : 2;
  if (operands.length !== wanted) {
    throw new CairnError('USAGE', all === true ? 'with --all only a directory is given' : 'no directory is given', {
      hint: 'Write `cairn mount ARCHIVE DIRECTORY`, or `cairn mount --all DIRECTORY`.',
    });
  }
  const directory = mountPlace(operands.at(-1) ?? '');
  return { ref: all === true ? undefined : operands[0], directory };
}

function logFileOf({ settings }: Context, { logFile }: MountOptions): string {
  if (logFile !== undefined) return resolve(logFile);
  const state = settings.text('state-directory');
  if (state === undefined) throw new CairnError('INTERNAL', 'directories have no default');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  return join(state, 'mount.log');
}

function rulesOf({ uid, gid, umask }: MountOptions): OwnerRules {
  return {
    ...(uid === undefined ? {} : { uid: ownerId(uid, 'passwd') }),
    ...(gid === undefined ? {} : { gid: ownerId(gid, 'group') }),
    ...(umask === undefined ? {} : { umask: permissions(umask) }),
  };
}

interface Started {
  readonly live: LiveMount;
  readonly shown: MountedReport;
  readonly close: () => Promise<void>;
}

async function start(
  context: Context,
  ref: string | undefined,
  directory: string,
  options: MountOptions,
  key?: KeyFile,
): Promise<Started> {
  shareOneHeap();
  letHeapGrow(SMALL_HEAP_BYTES);
  // Loaded while the store answers for the first time: it may be far away, and begin with a program of its own.
  const loading = import('@cairn/fuse');
  const onProblem = (text: string): void => context.messages.warn(`${new Date().toISOString()} ${directory}: ${text}`);
  const rules = rulesOf(options);
  let patient: PatientStore | undefined;
  const { repository } = await openRepository(context, {
    ...(key === undefined ? {} : { key }),
    // Reads wait by themselves, for as long as was told, and no longer than that.
    retryForMs: 0,
    wrap: async (store) => {
      const { PatientStore } = await loading;
      const { clock } = systemEnvironment;
      const near = await withFetchedPacks(context, store);
      return (patient = new PatientStore(near, { clock, timer: systemTimer, onOutage: onProblem }));
    },
  });
  const { mountArchives } = await loading;
  const threads = context.settings.count('threads');
  try {
    const archive: ArchiveRecord | undefined = ref === undefined ? undefined : repository.archive(ref);
    const live = await mountArchives(
      repository,
      {
        directory,
        rules,
        allowOther: options.allowOther === true,
        ignorePermissions: options.ignorePermissions === true,
        ...(archive === undefined ? {} : { archive }),
        ...(threads === undefined ? {} : { threads }),
        ...(options.pin === false ? {} : { pinAs: `mount ${directory} on ${hostname()}` }),
      },
      { onProblem, onUnmounted: () => patient?.waitUpTo(0) },
    );
    patient?.waitUpTo((options.wait ?? WAIT_S) * 1000);
    const named = archive === undefined ? {} : { archive: archive.name, archive_id: archive.id };
    return { live, shown: { directory, ...named, pid: process.pid }, close: async () => await repository.close() };
  } catch (error) {
    await repository.close();
    throw error;
  }
}

async function serveHandedOver(
  context: Context,
  ref: string | undefined,
  directory: string,
  options: MountOptions,
): Promise<number> {
  let started: Started;
  try {
    started = await start(context, ref, directory, options, await receiveKey());
  } catch (error) {
    await report(outcomeOf(error));
    throw error;
  }
  await report({ mounted: started.shown });
  // A working directory would keep its file system from being unmounted.
  process.chdir('/');
  return await serve(context, started.live, started.close);
}

/** Stays until the mount is gone. A signal unmounts it; when it is in use, it goes out of sight and is served to the end. */
async function serve({ messages, signal }: Context, live: LiveMount, close: () => Promise<void>): Promise<number> {
  const detach = (): void => live.detach();
  process.on('exit', detach);
  const stop = (): void => {
    live.unmount().catch(async (error: unknown) => {
      messages.warn(error instanceof Error ? error.message : String(error));
      await live.unmount({ lazy: true });
      messages.info(`${live.directory} is out of sight, and stays readable for these programs until they are done.`);
    });
  };
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    await live.ended;
  } finally {
    process.off('exit', detach);
    await close();
  }
  return 0;
}

async function tell({ json, output, messages }: Context, shown: MountedReport): Promise<void> {
  if (json) await output.line(JSON.stringify(shown));
  else {
    const what = shown.archive === undefined ? 'the repository' : safeText(shown.archive);
    messages.info(`Mounted ${what} at ${shown.directory}. \`cairn umount ${shown.directory}\` takes it away.`);
  }
  await output.flush();
}
