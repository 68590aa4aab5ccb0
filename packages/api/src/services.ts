import type { Environment } from '@cairn/core';
import type { RunStore } from '@cairn/jobs';
import type { Logger } from '@cairn/repo-server/serving';

import type { Accounts } from './accounts/accounts.ts';
import type { LockOut } from './accounts/lock-out.ts';
import type { Sessions } from './accounts/sessions.ts';
import type { SetupLinks } from './accounts/setup-links.ts';
import type { ApiTokens } from './accounts/tokens.ts';
import type { Audit } from './audit/audit.ts';
import type { BackupServices } from './backup-services.ts';
import type { PanelConfig } from './config/panel-file.ts';
import type { KeyExports } from './gate/key-exports.ts';
import type { KeyGate } from './gate/key-gate.ts';
import type { Route } from './http/route.ts';
import type { MountSupervisor } from './mounts/mount-supervisor.ts';
import type { OpenRepositories } from './repositories/open-repositories.ts';
import type { State } from './state/state.ts';

/** What handlers work with: everything that a panel is made of, put together in server.ts. */
export interface Services extends BackupServices {
  readonly config: PanelConfig;
  readonly environment: Environment;
  readonly logger: Logger;
  readonly state: State;
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly tokens: ApiTokens;
  readonly setupLinks: SetupLinks;
  readonly lockOut: LockOut;
  readonly audit: Audit;
  readonly repositories: OpenRepositories;
  readonly gate: KeyGate;
  readonly keyExports: KeyExports;
  /** The record of all runs: those of jobs, and of what the panel starts. */
  readonly runs: RunStore;
  readonly mounts: MountSupervisor;
  /** How the cairn program is started, before its verb: for work that has a process of its own. */
  readonly cairnCommand: readonly string[];
  /** The document of all routes, as it is sent. */
  readonly openApi: string;
  /** Fires when the panel is to end. */
  readonly signal: AbortSignal;
  /** Of tests: fails when an answer is not what its route promises. */
  readonly checkAnswer?: (route: Route, status: number, body: unknown) => void;
}
