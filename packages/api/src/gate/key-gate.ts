import {
  CairnError,
  checkGroups,
  encodeRecoveryKey,
  formatFingerprint,
  isCairnError,
  nodeSuite,
  PANEL,
  parseRecoveryKey,
  fingerprintOf,
  pickGroups,
  type Environment,
  type KeyFile,
} from '@cairn/core';

import type { OpenRepositories } from '../repositories/open-repositories.ts';
import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';

/** Groups of the recovery key that must be typed: 50 bits that nobody guesses, and a minute of work. */
const GROUPS_ASKED = 2;

/** How far a repository is on its way through the gate, for the root key that it has now. */
export interface GateStanding {
  readonly repository: string;
  /** Undefined when the key cannot be read; `problem` says why. */
  readonly fingerprint: string | undefined;
  readonly problem: string | undefined;
  /** Whether the panel has the root key, and can export it. Otherwise the whole recovery key must be typed as proof. */
  readonly canExport: boolean;
  readonly exportRun: string | undefined;
  readonly exportedMs: number | null;
  readonly shownMs: number | null;
  readonly savedMs: number | null;
  readonly savedBy: string | null;
}

interface KeyRow {
  readonly export_run: string | null;
  readonly exported_ms: number | null;
  readonly shown_ms: number | null;
  readonly asked: string | null;
  readonly asked_ms: number | null;
  readonly saved_ms: number | null;
  readonly saved_by: string | null;
  readonly noticed_ms: number | null;
}

export interface GroupAnswer {
  readonly group: number;
  readonly text: string;
}

/**
 * Whether the recovery key of each repository is proved saved. What is remembered belongs to a fingerprint: another root key is not saved.
 * The one place that says so; no route decides it.
 */
export class KeyGate {
  private readonly state: State;
  private readonly repositories: OpenRepositories;
  private readonly environment: Environment;

  constructor(state: State, repositories: OpenRepositories, environment: Environment) {
    this.state = state;
    this.repositories = repositories;
    this.environment = environment;
  }

  /** Rejects with `KEY_EXPORT_REQUIRED` while a key is not saved, or cannot be read: what is not known is not open. */
  async assertOpen(): Promise<void> {
    for (const name of this.repositories.names()) {
      const { savedMs, problem } = await this.standing(name);
      if (savedMs !== null) continue;
      const reason = problem === undefined ? 'was not yet exported and proved saved' : `is not known: ${problem}`;
      throw new CairnError('KEY_EXPORT_REQUIRED', `the recovery key of the repository ${name} ${reason}`, {
        hint: `POST /api/v1/repositories/${name}/recovery-key/export begins; docs/guides/panel.md shows the way.`,
        details: { repository: name },
      });
    }
  }

  /** Rejects with `NOT_FOUND` for a repository that is not there; a key that cannot be read is a problem in what it gives. */
  async standing(name: string): Promise<GateStanding> {
    this.repositories.config(name);
    let key: KeyFile;
    try {
      key = await this.repositories.key(name);
    } catch (error) {
      if (!isCairnError(error)) throw error;
      return standingOf(name, undefined, error.message, undefined);
    }
    return standingOf(name, key, undefined, this.row(name, fingerprintText(key)));
  }

  /** The root key. Rejects with `RIGHT_MISSING` when the panel has a lesser one. */
  async rootKey(name: string): Promise<KeyFile> {
    const key = await this.repositories.key(name);
    if (key.capabilities.root !== undefined) return key;
    throw new CairnError('RIGHT_MISSING', `the panel does not have the root key of ${name}`, {
      hint: 'Export it where it is, with `cairn key export`; then prove it saved by typing all of it.',
    });
  }

  /** Notes that an export began. */
  exportBegan(name: string, fingerprint: string, run: string): void {
    this.set(name, fingerprint, 'export_run', run);
  }

  /** Notes that the key was exported: from now on it can be shown. */
  exported(name: string, fingerprint: string): void {
    this.set(name, fingerprint, 'exported_ms', nowMs(this.environment.clock));
  }

  shown(name: string, fingerprint: string): void {
    this.set(name, fingerprint, 'shown_ms', nowMs(this.environment.clock));
  }

  /** Rejects with `CONFLICT` before the key was exported. Gives it. */
  async exportedKey(name: string): Promise<{ readonly key: KeyFile; readonly fingerprint: string }> {
    const key = await this.rootKey(name);
    const fingerprint = fingerprintText(key);
    const exportedMs = this.row(name, fingerprint)?.exported_ms ?? null;
    if (exportedMs !== null) return { key, fingerprint };
    throw new CairnError('CONFLICT', `the recovery key of ${name} was not exported yet`, {
      hint: `POST /api/v1/repositories/${name}/recovery-key/export, and wait until its run has ended.`,
    });
  }

  /** Which groups of the key are to be typed. The same until the time for them is over. Rejects with `CONFLICT` before an export. */
  async ask(name: string): Promise<{ readonly groups: readonly number[]; readonly untilMs: number }> {
    const { fingerprint } = await this.exportedKey(name);
    const now = nowMs(this.environment.clock);
    return this.state.transaction(() => {
      const open = this.asked(name, fingerprint, now);
      if (open !== undefined) return open;
      const groups = pickGroups(this.environment.random, GROUPS_ASKED);
      this.set(name, fingerprint, 'asked', JSON.stringify(groups));
      this.set(name, fingerprint, 'asked_ms', now);
      return { groups, untilMs: now + PANEL.proofMs };
    });
  }

  /**
   * Opens the gate for a repository when the groups that were asked for are right; sent twice, they are right twice. Rejects with
   * `CONFLICT` when none are asked for, or others, and with `WRONG_KEY` when one is wrong, without saying which.
   */
  async proveByGroups(name: string, answers: readonly GroupAnswer[], by: string): Promise<void> {
    const { key, fingerprint } = await this.exportedKey(name);
    const asked = this.asked(name, fingerprint, nowMs(this.environment.clock))?.groups ?? [];
    const given = answers.map(({ group }) => group).toSorted((a, b) => a - b);
    if (asked.length === 0 || asked.join() !== given.join()) {
      throw new CairnError('CONFLICT', 'these groups are not the ones that were asked for', {
        hint: `POST /api/v1/repositories/${name}/recovery-key/ask says which; they can be answered for 15 minutes.`,
      });
    }
    if (!checkGroups(encodeRecoveryKey(nodeSuite, key.capabilities), answers)) throw notTheKey();
    this.saved(name, fingerprint, by);
  }

  /** The same by the whole recovery key, for a panel that does not have it. Rejects with `USAGE` or `CORRUPT` as `parseRecoveryKey`. */
  async proveByKey(name: string, recoveryKey: string, by: string): Promise<void> {
    const key = await this.repositories.key(name);
    const typed = parseRecoveryKey(nodeSuite, recoveryKey);
    if (Buffer.compare(fingerprintOf(nodeSuite, typed), key.fingerprint) !== 0) throw notTheKey();
    this.saved(name, fingerprintText(key), by);
  }

  /** Whether somebody was told that this key is not saved. */
  wasNoticed({ repository, fingerprint = '' }: GateStanding): boolean {
    return (this.row(repository, fingerprint)?.noticed_ms ?? null) !== null;
  }

  noticed({ repository, fingerprint = '' }: GateStanding): void {
    this.set(repository, fingerprint, 'noticed_ms', nowMs(this.environment.clock));
  }

  private saved(name: string, fingerprint: string, by: string): void {
    this.state.transaction(() => {
      this.set(name, fingerprint, 'saved_ms', nowMs(this.environment.clock));
      this.set(name, fingerprint, 'saved_by', by);
    });
  }

  private asked(
    name: string,
    fingerprint: string,
    now: number,
  ): { readonly groups: readonly number[]; readonly untilMs: number } | undefined {
    const { asked = null, asked_ms: askedMs = null } = this.row(name, fingerprint) ?? {};
    if (asked === null || askedMs === null || askedMs + PANEL.proofMs <= now) return undefined;
    return { groups: JSON.parse(asked) as number[], untilMs: askedMs + PANEL.proofMs };
  }

  private row(name: string, fingerprint: string): KeyRow | undefined {
    return this.state.get<KeyRow>(
      'SELECT * FROM recovery_keys WHERE repository = ? AND fingerprint = ?',
      name,
      fingerprint,
    );
  }

  private set(name: string, fingerprint: string, column: keyof KeyRow, value: string | number | null): void {
    this.state.run(
      `INSERT INTO recovery_keys (repository, fingerprint, seen_ms, ${column}) VALUES (?, ?, ?, ?)
       ON CONFLICT (repository, fingerprint) DO UPDATE SET ${column} = excluded.${column}`,
      name,
      fingerprint,
      nowMs(this.environment.clock),
      value,
    );
  }
}

export function fingerprintText(key: KeyFile): string {
  return formatFingerprint(key.fingerprint);
}

function standingOf(
  repository: string,
  key: KeyFile | undefined,
  problem: string | undefined,
  row: KeyRow | undefined,
): GateStanding {
  return {
    repository,
    fingerprint: key === undefined ? undefined : fingerprintText(key),
    problem,
    canExport: key?.capabilities.root !== undefined,
    exportRun: row?.export_run ?? undefined,
    exportedMs: row?.exported_ms ?? null,
    shownMs: row?.shown_ms ?? null,
    savedMs: row?.saved_ms ?? null,
    savedBy: row?.saved_by ?? null,
  };
}

function notTheKey(): CairnError {
  return new CairnError('WRONG_KEY', 'that is not in the recovery key of this repository', {
    hint: 'Compare what you typed with the text that you saved; it may be of another repository.',
  });
}
