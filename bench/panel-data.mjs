// @ts-check
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import {
  DirectoryStore,
  encodeKeyFileText,
  encodeRecoveryKey,
  nodeSuite,
  Repository,
  systemEnvironment,
} from '../packages/core/dist/index.js';

/**
 * Makes a repository of so many archives, the newest with a directory of so many entries, and beside it its `root.key`.
 * @param {string} base @param {number} archives @param {number} entries @returns {Promise<string>} the recovery key
 */
export async function makePanelData(base, archives, entries) {
  const place = (/** @type {string[]} */ ...names) => path.join(base, ...names);
  const store = await DirectoryStore.create(path.join(base, 'repository'));
  const { repository, keys } = await Repository.create(store);
  const notes = { label: 'bench', createdNs: systemEnvironment.clock.nowNs() };
  writeFileSync(place('root.key'), encodeKeyFileText(nodeSuite, keys, notes), { mode: 0o600 });
  mkdirSync(place('large'), { recursive: true });
  for (let i = 0; i < entries; i++) writeFileSync(place('large', `entry-${String(i).padStart(6, '0')}`), '');
  mkdirSync(place('small'), { recursive: true });
  const series = ['web', 'mail', 'files', 'databases'];
  for (let i = 0; i < archives - 1; i++) {
    writeFileSync(place('small', 'file'), String(i));
    await repository.backup({ paths: [place('small')], series: series[i % series.length] ?? 'web', threads: 0 });
  }
  await repository.backup({ paths: [place('large')], series: 'large', threads: 0 });
  await repository.close();
  spreadOverDays(place('repository', 'log'));
  return encodeRecoveryKey(nodeSuite, keys);
}

/**
 * The store received the archives on different days, four a day: what a log entry's file says is when it came.
 * @param {string} folder
 */
function spreadOverDays(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /[0-9a-f]{16}$/.test(name));
  for (const [i, name] of names.toSorted().entries()) {
    const time = Date.now() / 1000 - ((names.length - i) * 86_400) / 4;
    utimesSync(path.join(folder, name), time, time);
  }
}
