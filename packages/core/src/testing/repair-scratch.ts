import { expect } from 'vitest';

import type { Capabilities } from '../crypto/capabilities.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { checkRepository, type CheckReport } from '../verbs/check.ts';
import { applyRepair, planRepair, type RepairOptions, type RepairPlan, type RepairReport } from '../verbs/repair.ts';
import { ArchiveBuilder, directoryNode, fileNode, type ArchiveNode } from './archive-builder.ts';
import { pseudoRandomBytes } from './pseudo-random.ts';

/** Three data chunks a file, each in a pack with another one; the trees in packs of their own. */
export const bytesOf = (seed: string): Uint8Array[] => [0, 1, 2].map((i) => pseudoRandomBytes(`${seed} ${i}`, 3000));
const FIRST: readonly ArchiveNode[] = [
  directoryNode('shared', [fileNode('common', bytesOf('common'))]),
  fileNode('first', bytesOf('first')),
];
const SECOND: readonly ArchiveNode[] = [...FIRST, fileNode('second', bytesOf('second'))];

/** A repository in memory, to be damaged and repaired. */
export interface Sample {
  readonly builder: ArchiveBuilder;
  readonly objects: Map<string, MemoryObject>;
  readonly archives: readonly ArchiveRecord[];
}

/** Two archives without a fault. */
export async function soundSample(): Promise<Sample> {
  const objects = new Map<string, MemoryObject>();
  const builder = await ArchiveBuilder.create({ objects });
  const archives = [
    await builder.commit(FIRST, { packBytes: 4000 }),
    await builder.commit(SECOND, { packBytes: 4000 }),
  ];
  return { builder, objects, archives };
}

/** The same repository over objects of its own, to be damaged. */
export const copyOf = ({ builder, objects, archives }: Sample): Sample => ({
  builder,
  objects: new Map(objects),
  archives,
});

export const storeOf = ({ objects }: Sample): MemoryStore => new MemoryStore(systemEnvironment.clock, objects);
export const open = (of: Sample, keys?: Capabilities): Promise<RepositoryAccess> =>
  of.builder.access(storeOf(of), keys);

export const labels = ({ objects }: Sample, kind: string): string[] =>
  [...objects.keys()].filter((label) => label.startsWith(kind)).toSorted();

/** The data packs of two chunks, by the byte that says what kind they are (format page, section 4.4). */
export const packs = (of: Sample): string[] =>
  labels(of, 'packs/').filter((label) => {
    const { body } = of.objects.get(label) as MemoryObject;
    return body[5] === 1 && body.length > 5000;
  });

export function damage({ objects }: Sample, label: string, change: (body: Uint8Array) => Uint8Array): void {
  const object = objects.get(label);
  if (object === undefined) throw new Error(`no ${label}`);
  objects.set(label, { ...object, body: change(new Uint8Array(object.body)) });
}

export const flip =
  (at: number) =>
  (body: Uint8Array): Uint8Array => {
    const place = at < 0 ? body.length + at : at;
    body[place] = (body[place] as number) ^ 0x40;
    return body;
  };

/** Repairs, and looks that nothing that was there is changed. */
export async function repair(
  of: Sample,
  options: RepairOptions = {},
  keys?: Capabilities,
): Promise<{ readonly plan: RepairPlan; readonly report: RepairReport }> {
  const access = await open(of, keys);
  const before = new Map(of.objects);
  const plan = await planRepair(access, { threads: 0, ...options });
  expect(of.objects, 'a plan writes nothing').toEqual(before);
  const report = await applyRepair(access, plan);
  for (const [label, { body }] of before) {
    expect(of.objects.get(label)?.body, `${label} is as it was`).toEqual(body);
  }
  return { plan, report };
}

/** All that a check of every byte finds. */
export async function check(of: Sample): Promise<CheckReport> {
  return await checkRepository(await open(of), { threads: 0, data: true, record: false });
}

export const codes = ({ findings }: CheckReport): string[] => [...new Set(findings.map(({ code }) => code))].toSorted();
