import { keepHeapSmall, returnFreedBlocks, systemEnvironment } from '@cairn/core';
import { jsonLogger } from '@cairn/repo-server/serving';

import { DEFAULT_PANEL_FILE, readPanelFile } from './config/panel-file.ts';
import { issueSetupLink, startPanel, type RunningPanel } from './server.ts';
import { timeText } from './state/time.ts';

/** What `cairn panel` and `cairn-api` are told. */
export interface PanelRequest {
  /** Default: `/etc/cairn/panel.toml`. */
  readonly panelFile?: string | undefined;
  /** In place of what the file says. */
  readonly listen?: string | undefined;
  /** Prints a link that makes an admin, and ends: for when nobody can log in any more. */
  readonly setupLink: boolean;
  /** What was started is told as JSON. */
  readonly json: boolean;
}

export interface PanelPlace {
  readonly cairnCommand: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly print: (line: string) => void;
  readonly writeLog: (line: string) => void;
  /** Ends the panel. */
  readonly signal: AbortSignal;
}

/** Runs a panel until the signal fires. Rejects as `readPanelFile` and `startPanel` do. */
export async function runPanel(request: PanelRequest, place: PanelPlace): Promise<void> {
  // What is read and downloaded are large blocks: kept, they were 40 MB of the peak under load.
  returnFreedBlocks();
  keepHeapSmall();
  const file = request.panelFile ?? DEFAULT_PANEL_FILE;
  const config = await readPanelFile(file, request.listen);
  const { cairnCommand, variables, signal } = place;
  if (request.setupLink) {
    tell(request, place, undefined, await issueSetupLink(config, systemEnvironment));
    return;
  }
  const logger = jsonLogger(systemEnvironment.clock, place.writeLog);
  const panel = await startPanel(config, { environment: systemEnvironment, logger, cairnCommand, variables });
  tell(request, place, panel.address, panel.setup);
  if (!signal.aborted)
    await new Promise<void>((resolve) => void signal.addEventListener('abort', () => resolve(), { once: true }));
  await panel.close();
}

function tell(
  { json }: PanelRequest,
  { print }: PanelPlace,
  address: string | undefined,
  setup: RunningPanel['setup'],
): void {
  if (json) {
    const link = setup === undefined ? {} : { setup: setup.url, setup_expires: timeText(setup.expiresMs) };
    print(JSON.stringify({ ...(address === undefined ? {} : { address }), ...link }));
    return;
  }
  if (address !== undefined) print(`The panel listens on ${address}.`);
  if (setup === undefined) return;
  if (address !== undefined) print('There is no account yet.');
  print(
    'This link makes an admin, once, within an hour. It is for the pages of a control panel; the guide has the way without:',
  );
  print(`  ${setup.url}`);
}
