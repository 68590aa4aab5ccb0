import { openStore, Repository, systemEnvironment, type ArchiveRecord } from '@cairn/core';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ScratchPanel } from './scratch-panel.ts';

const NS_PER_S = 1_000_000_000n;

/** A repository of a panel, opened beside it as another program would. */
export async function openBeside(panel: ScratchPanel, name = 'main', aheadS = 60): Promise<Repository> {
  const keys = panel.keys.get(name);
  if (keys === undefined) throw new Error(`no repository ${name}`);
  const { random, clock } = systemEnvironment;
  // Ahead, so that files made just now do not look as if they could still change.
  const nowNs = (): bigint => clock.nowNs() + BigInt(aheadS) * NS_PER_S;
  const environment = { random, clock: { nowNs, monotonicMs: () => clock.monotonicMs() } };
  return await Repository.open(await openStore(join(panel.directory, name)), { keys, environment });
}

/** Backs up a directory into a repository of a panel. */
export async function backUp(
  panel: ScratchPanel,
  paths: readonly string[],
  series = 'web',
  name = 'main',
): Promise<ArchiveRecord> {
  const repository = await openBeside(panel, name);
  try {
    const { archive, problems } = await repository.backup({ paths, series, threads: 0 });
    if (problems.length > 0) throw new Error(`the backup has problems: ${problems[0]?.message}`);
    return archive;
  } finally {
    await repository.close();
  }
}

/** Names that are no UTF-8, that would end a header, and that look like a way out. */
export const LATIN = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
export const EVIL = 'a"\r\nset-cookie: evil=1\r\n\r\n<script>.html';

/** Bytes that no compression makes smaller, always the same. */
export function content(length: number): Buffer {
  const block = (i: number): Buffer => createHash('sha512').update(String(i)).digest();
  return Buffer.concat(Array.from({ length: Math.ceil(length / 64) }, (_, i) => block(i))).subarray(0, length);
}

/** Makes a tree with what is hard about files, and gives its root: two homes, of which one is of somebody else. */
export function makeTree(panel: ScratchPanel): string {
  const root = join(panel.directory, 'source');
  const ada = join(root, 'home/ada');
  mkdirSync(join(ada, 'letters'), { recursive: true });
  mkdirSync(join(root, 'home/adam'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(ada, 'large.bin'), content(5_000_000));
  writeFileSync(join(ada, 'empty'), '');
  writeFileSync(join(ada, 'letters/one.txt'), 'first letter\n');
  writeFileSync(join(ada, 'letters', EVIL.replaceAll('/', '_')), 'evil name');
  writeFileSync(Buffer.concat([Buffer.from(`${ada}/`), LATIN]), 'latin');
  writeFileSync(join(root, 'home/adam/secret.txt'), 'not for ada');
  writeFileSync(join(root, 'etc/shadow'), 'not for anybody');
  execFileSync('truncate', ['-s', '3M', join(ada, 'sparse')]);
  execFileSync('sh', [
    '-c',
    `printf middle | dd of="$1" bs=1 seek=1500000 conv=notrunc status=none`,
    'sh',
    join(ada, 'sparse'),
  ]);
  execFileSync('ln', ['-s', '/etc/passwd', join(ada, 'away')]);
  execFileSync('ln', ['-s', '../adam/secret.txt', join(ada, 'beside')]);
  execFileSync('ln', ['-s', '../adam', join(ada, 'door')]);
  return root;
}
