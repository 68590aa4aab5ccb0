import { systemEnvironment } from '@cairn/core';
import { jsonLogger } from '@cairn/repo-server/serving';

import { DEFAULT_PANEL_FILE, readPanelFile } from './config/panel-file.ts';
import { startPanel } from './server.ts';
import { timeText } from './state/time.ts';

/** What `cairn panel` and `cairn-api` are told. */
export interface PanelRequest {
  /** Default: `/etc/cairn/panel.toml`. */
  readonly panelFile?: string | undefined;
  /** In place of what the file says. */
  readonly listen?: string | undefined;
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
  const file = request.panelFile ?? DEFAULT_PANEL_FILE;
  const config = await readPanelFile(file, request.listen);
  const { cairnCommand, variables, print, signal } = place;
  const logger = jsonLogger(systemEnvironment.clock, place.writeLog);
  const panel = await startPanel(config, { environment: systemEnvironment, logger, cairnCommand, variables });
  const { address, setup } = panel;
  if (request.json) {
    const link = setup === undefined ? {} : { setup: setup.url, setup_expires: timeText(setup.expiresMs) };
    print(JSON.stringify({ address, ...link }));
  } else {
    print(`The panel listens on ${address}.`);
    if (setup !== undefined) {
      print('There is no account yet. This link makes the first one, once, within an hour:');
      print(`  ${setup.url}`);
    }
  }
  if (!signal.aborted)
    await new Promise<void>((resolve) => void signal.addEventListener('abort', () => resolve(), { once: true }));
  await panel.close();
}
