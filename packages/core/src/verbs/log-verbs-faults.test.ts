import { beforeAll, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { changeArchive, commentArchives, protectArchives, renameArchive, tagArchives } from './annotate.ts';
import { checkRepository } from './check.ts';
import { applyDelete, applyUndelete, planDelete, planUndelete } from './delete.ts';

let builder: ArchiveBuilder;
/** The repository as each round finds it. */
let base: Map<string, MemoryObject>;
let archives: ArchiveRecord[];

beforeAll(async () => {
  base = new Map();
  builder = await ArchiveBuilder.create({ objects: base });
  archives = [];
  for (const name of ['a', 'b', 'c']) archives.push(await builder.commit([fileNode(name, name)]));
  const access = await builder.access();
  await applyDelete(access, planDelete(access, archives.slice(2)));
  await tagArchives(access, archives.slice(0, 1), { add: ['old'] });
});

const live = (): ArchiveRecord[] => archives.slice(0, 2);

/** The verbs that decide something and store nothing else. */
const VERBS: Readonly<Record<string, (access: RepositoryAccess) => Promise<unknown>>> = {
  delete: (access) => applyDelete(access, planDelete(access, live())),
  undelete: (access) => applyUndelete(access, planUndelete(access, archives.slice(2))),
  protect: (access) => protectArchives(access, live(), true),
  rename: (access) => renameArchive(access, archives[0] as ArchiveRecord, 'other'),
  comment: (access) => commentArchives(access, live(), 'other'),
  tag: (access) => tagArchives(access, live(), { add: ['other'] }),
  change: (access) =>
    changeArchive(access, archives[0] as ArchiveRecord, { name: 'other', comment: 'other', tags: { add: ['other'] } }),
};

/** What is known of each archive, as text. */
function known({ log }: RepositoryAccess): string[] {
  return [...log.state.archives.values()].map(({ id, name, state, protect, comment, tags }) =>
    JSON.stringify({ id, name, state, protect, comment, tags }),
  );
}

const open = (objects: Map<string, MemoryObject>): MemoryStore => new MemoryStore(systemEnvironment.clock, objects);

describe.each(Object.keys(VERBS))('%s on a store that fails one call', (verb) => {
  it.each(['before', 'after'] as const)('(%s it was done) is done for an archive, or not at all', async (when) => {
    const work = VERBS[verb] as (typeof VERBS)[string];
    const whole = new Map(base);
    const done = await builder.access(open(whole));
    await work(done);
    const [asBefore, asAfter] = [known(await builder.access(open(new Map(base)))), known(done)];
    expect(asAfter).not.toEqual(asBefore);
    for (let at = 1; ; at++) {
      const objects = new Map(base);
      const store = new FaultyStore(open(objects), [{ at, when }]);
      const outcome = await builder
        .access(store)
        .then(work)
        .then(() => 'done')
        .catch((error: unknown) => (isCairnError(error) ? error.code : String(error)));
      const afterwards = await builder.access(open(objects));
      for (const [i, text] of known(afterwards).entries()) expect([asBefore[i], asAfter[i]]).toContain(text);
      const { findings } = await checkRepository(afterwards);
      expect(findings).toEqual([]);
      if (outcome === 'done') expect(known(afterwards)).toEqual(asAfter);
      else expect(outcome).toBe('STORE_FAILED');
      if (outcome === 'done' && store.operations < at) break;
      // Whoever tries again has what was wanted.
      await work(afterwards);
      expect(known(afterwards)).toEqual(asAfter);
    }
  });
});
