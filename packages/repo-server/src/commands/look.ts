import { CairnError, DirectoryStore, isPassedOver, logName, type Clock } from '@cairn/core/server';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { audit, auditText } from '../operate/audit.ts';
import { scrub } from '../operate/scrub.ts';
import { parseBytes, showBytes, showTime } from '../quantities.ts';
import { measure, type HostedSettings } from '../repository/hosted-repository.ts';
import { Ledger } from '../repository/ledger.ts';
import { DEFAULT_SETTINGS_PATH, readSettings } from '../settings.ts';
import type { ConfigOptions } from './clients.ts';
import type { Surroundings } from './surroundings.ts';

export interface RepositoryOptions extends ConfigOptions {
  readonly repo: string;
}

async function hostedOf({ config, repo }: RepositoryOptions): Promise<HostedSettings> {
  const settings = await readSettings(config ?? DEFAULT_SETTINGS_PATH);
  const hosted = settings.repositories.get(repo);
  if (hosted !== undefined) return hosted;
  throw new CairnError('USAGE', `${settings.path} has no repository ${repo}`, {
    hint: `It has ${[...settings.repositories.keys()].join(', ') || 'none'}.`,
  });
}

/** Makes the empty folders of a repository that the host's file names; a client then makes the repository with `cairn init`. */
export async function createHosted(options: RepositoryOptions, { print }: Surroundings): Promise<void> {
  const { name, path, stateDirectory } = await hostedOf(options);
  await mkdir(dirname(stateDirectory), { recursive: true, mode: 0o700 });
  await (await DirectoryStore.create(path))[Symbol.asyncDispose]();
  if (options.json === true) print(JSON.stringify({ repository: name, path }));
  else print(`${path} is ready; make the repository from a client that may maintain it: cairn init -r ADDRESS`);
}

/** Prints every entry of the log: when it came, from whom, and what it decided. Rejects with `CORRUPT` for a damaged log. */
export async function auditHosted(options: RepositoryOptions, { clock, print }: Surroundings): Promise<void> {
  const lines = await audit(await hostedOf(options), clock);
  if (options.json === true) print(JSON.stringify(lines));
  else for (const line of lines) print(auditText(line));
}

/**
 * Takes the newest entries of the log out of the way, into `tmp/`: the way out when somebody with a maintainer's credential appended an
 * entry that no key opens, at which every client stops. None has gone beyond it, so to none of them does the log go back. Not for
 * entries that clients pass over: those whom it went on with see the log go back. The server must not run meanwhile.
 */
export async function setEntriesAside(
  options: RepositoryOptions & { readonly from: string; readonly dryRun?: boolean },
  { clock, print }: Surroundings,
): Promise<void> {
  const hosted = await hostedOf(options);
  const lines = await audit(hosted, clock);
  const from = Number(options.from);
  const going = lines.filter(({ seq }) => seq >= from);
  if (!Number.isSafeInteger(from) || from < 1 || going.length === 0) {
    throw new CairnError('USAGE', `--from is the number of an entry, from 1 to ${lines.length}`);
  }
  const kind = going[0]?.kind;
  if (kind !== undefined && isPassedOver(kind)) {
    throw new CairnError('USAGE', `entry ${from} is a ${kind}: clients that cannot read it pass it over`, {
      hint: 'Who has seen it refuses a log without it. `cairn repair`, from a client that may maintain, deals with it.',
    });
  }
  if (options.dryRun !== true) await sayAside(hosted, from, clock);
  const store = await DirectoryStore.open(hosted.path);
  // The newest first: a log must never have a gap, also if this is interrupted.
  for (const { seq } of options.dryRun === true ? [] : going.toReversed()) {
    await store.setAside({ kind: 'log', name: logName(seq) }, () => false);
  }
  await store[Symbol.asyncDispose]();
  if (options.json === true) print(JSON.stringify({ set_aside: options.dryRun !== true, entries: going }));
  else
    for (const line of going) print(`${options.dryRun === true ? 'would set aside' : 'set aside'}  ${auditText(line)}`);
}

/** Compares every pack and segment with its name; gives the exit status. Rejects with `CANCELLED` when it was stopped. */
export async function scrubHosted(
  options: RepositoryOptions & { readonly rate?: string },
  { clock, print, signal }: Surroundings,
): Promise<number> {
  const rate = options.rate === undefined ? undefined : parseBytes(options.rate);
  if (options.rate !== undefined && (rate === undefined || rate < 1)) {
    throw new CairnError('USAGE', '--rate is written as in "20 MB"');
  }
  const { path } = await hostedOf(options);
  const report = await scrub(await DirectoryStore.open(path), { rate, clock, signal });
  if (options.json === true) print(JSON.stringify({ ...report, ended_ms: report.endedMs, endedMs: undefined }));
  else {
    for (const label of report.bad) print(`damaged: ${label}`);
    print(`${report.objects} objects, ${showBytes(report.bytes)}, ${report.bad.length} damaged`);
  }
  if (signal.aborted) {
    throw new CairnError('CANCELLED', 'the scrub was stopped before every object was read', {
      hint: 'What it found so far is told; the next one begins anew.',
    });
  }
  return report.bad.length === 0 ? 0 : new CairnError('CORRUPT', 'damaged objects').exit;
}

/** Prints what each client used and when it last committed. A server without keys cannot name series. */
export async function showUsage(options: RepositoryOptions, { print }: Surroundings): Promise<void> {
  const { name, quotaBytes, stateDirectory } = await hostedOf(options);
  const { bytes, clients } = await Ledger.read(join(stateDirectory, 'ledger'));
  if (options.json === true) {
    const rows = [...clients].map(([client, use]) => ({
      client,
      bytes: use.bytes,
      commits: use.commits,
      last_commit_ms: use.lastCommitMs ?? null,
    }));
    print(JSON.stringify({ repository: name, bytes, quota_bytes: quotaBytes ?? null, clients: rows }));
    return;
  }
  print(`${name}: ${showBytes(bytes)}${quotaBytes === undefined ? '' : ` of ${showBytes(quotaBytes)}`}`);
  for (const [client, use] of clients) {
    const commit = use.lastCommitMs === undefined ? 'no archive yet' : `last archive ${showTime(use.lastCommitMs)}`;
    print(
      `${client.padEnd(20)}  ${showBytes(use.bytes).padStart(10)}  ${String(use.commits).padStart(6)} archives  ${commit}`,
    );
  }
}

/** From then on the ledger does not hold the log against the entries that go. */
async function sayAside({ path, stateDirectory }: HostedSettings, from: number, clock: Clock): Promise<void> {
  const t = Number(clock.nowNs() / 1_000_000n);
  const measureAll = async (): Promise<number> => await measure(await DirectoryStore.open(path));
  await (await Ledger.open(join(stateDirectory, 'ledger'), t, measureAll)).record({ t, aside: from });
}
