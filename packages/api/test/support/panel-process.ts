import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { CAIRN } from './scratch-panel.ts';

/** A panel in a process of its own, as `cairn panel` starts it. */
export interface PanelProcess {
  readonly address: string;
  kill(): Promise<void>;
}

export async function startPanelProcess(file: string): Promise<PanelProcess> {
  const child: ChildProcess = spawn(process.execPath, [CAIRN, 'panel', '--json', '--panel-file', file], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout === null) throw new Error('the panel has no output');
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { address } = JSON.parse(line) as { address: string };
  return {
    address,
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
