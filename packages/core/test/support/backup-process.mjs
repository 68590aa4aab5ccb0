// @ts-check
/**
 * A backup in a process of its own. Takes one argument, JSON: `store`, `key` (a file), `ahead` (seconds that its clock is
 * ahead), `dieAfter` (a kind of object: it kills itself when it has put one), and the options of `backup`. Prints one line of
 * JSON when it is done.
 */
import { readFileSync, writeSync } from 'node:fs';
import process from 'node:process';

import { DirectoryStore, Repository, systemEnvironment } from '../../dist/index.js';

const { store: place, key, ahead, dieAfter, ...options } = JSON.parse(process.argv[2] ?? '');
const store = await DirectoryStore.open(place);
const put = store.put.bind(store);
store.put = async (object, ...rest) => {
  await put(object, ...rest);
  if (object.kind === dieAfter) process.kill(process.pid, 'SIGKILL');
};
const { clock, random } = systemEnvironment;
const environment = {
  clock: { nowNs: () => clock.nowNs() + BigInt(ahead) * 1_000_000_000n, monotonicMs: () => clock.monotonicMs() },
  random,
};
const repository = await Repository.open(store, { keys: readFileSync(key, 'utf8'), environment });
try {
  const report = await repository.backup(options);
  const { archive, progress, problems, parent } = report;
  const { complete, warnings } = archive.descriptor;
  writeSync(1, `${JSON.stringify({ name: archive.name, complete, warnings, progress, problems, parent })}\n`);
} catch (error) {
  writeSync(1, `${JSON.stringify({ error: error?.code ?? String(error) })}\n`);
}
