import { beforeEach, describe, expect, it } from 'vitest';

import { restrict } from '../crypto/capabilities.ts';
import { isCairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { changeArchive, commentArchives, protectArchives, renameArchive, tagArchives } from './annotate.ts';
import { applyDelete, planDelete } from './delete.ts';

let builder: ArchiveBuilder;
let access: RepositoryAccess;
let archives: ArchiveRecord[];

beforeEach(async () => {
  builder = await ArchiveBuilder.create();
  archives = [];
  for (const name of ['a', 'b', 'c']) archives.push(await builder.commit([fileNode(name, name)]));
  access = await builder.access();
});

const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);
const archive = (i: number): ArchiveRecord => archives[i] as ArchiveRecord;
const now = (i: number): ArchiveRecord => access.log.state.archives.get(archive(i).id) as ArchiveRecord;

describe('protect', () => {
  it('is said of archives once, and can be taken back', async () => {
    const seq = access.log.seq;
    const done = await protectArchives(access, [archive(0), archive(2)], true);
    expect(done.map(({ protect }) => protect)).toEqual([true, true]);
    expect([now(0).protect, now(1).protect, now(2).protect]).toEqual([true, false, true]);
    expect(access.log.seq).toBe(seq + 1);
    await protectArchives(access, [archive(0)], true);
    expect(access.log.seq).toBe(seq + 1);
    await protectArchives(access, archives, false);
    expect(access.log.seq).toBe(seq + 2);
    expect((await builder.access()).log.state.live().some(({ protect }) => protect)).toBe(false);
  });
});

describe('rename', () => {
  it('gives another name, and only that', async () => {
    const before = now(0);
    expect(await renameArchive(access, archive(0), 'before the upgrade: ä')).toMatchObject({
      ...before,
      name: 'before the upgrade: ä',
    });
    expect((await builder.access()).log.state.archives.get(archive(0).id)?.name).toBe('before the upgrade: ä');
  });

  it('refuses names that cannot be, and says so', async () => {
    const bad = [
      '',
      'a/b',
      '.',
      '..',
      'latest',
      'web@latest',
      'ab'.repeat(16),
      'a\nb',
      'a\u001b[31m',
      'a\\b',
      '\ud800',
    ];
    for (const name of bad) {
      await expect(renameArchive(access, archive(0), name), JSON.stringify(name)).rejects.toThrow(coded('USAGE'));
    }
    const most = 'ä'.repeat(127) + 'a';
    expect(Buffer.byteLength(most)).toBe(LIMITS.nameBytes);
    await renameArchive(access, archive(0), most);
    await expect(renameArchive(access, archive(0), `${most}a`)).rejects.toThrow(coded('LIMIT_EXCEEDED'));
  });

  it('refuses a name that another archive has, also a deleted one', async () => {
    await renameArchive(access, archive(0), 'taken');
    await expect(renameArchive(access, archive(1), 'taken')).rejects.toThrow(/another archive is called taken/);
    await renameArchive(access, archive(0), 'taken');
    await applyDelete(access, planDelete(access, [archive(0)]));
    await expect(renameArchive(access, archive(1), 'taken')).rejects.toThrow(/taken \(deleted\)/);
  });

  it('by two clients at once to one name leaves one of them', async () => {
    const other = await builder.access();
    const results = await Promise.allSettled([
      renameArchive(access, archive(0), 'mine'),
      renameArchive(other, archive(1), 'mine'),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await access.log.refresh();
    expect([now(0).name, now(1).name].filter((name) => name === 'mine')).toEqual(['mine']);
  });
});

describe('comment', () => {
  it('is kept up to its limit', async () => {
    await commentArchives(access, [archive(0), archive(1)], 'two\nlines');
    expect([now(0).comment, now(1).comment, now(2).comment]).toEqual(['two\nlines', 'two\nlines', '']);
    await commentArchives(access, [archive(0)], '');
    expect(now(0).comment).toBe('');
    const most = 'x'.repeat(LIMITS.commentBytes);
    await commentArchives(access, [archive(2)], most);
    expect(now(2).comment).toBe(most);
    await expect(commentArchives(access, [archive(2)], `${most}x`)).rejects.toThrow(coded('LIMIT_EXCEEDED'));
  });
});

describe('tag', () => {
  it('sets, removes and adds, in this order', async () => {
    await tagArchives(access, archives, { set: ['a', 'b', 'a'] });
    expect(now(0).tags).toEqual(['a', 'b']);
    await tagArchives(access, [archive(0)], { add: ['c', 'a'], remove: ['a', 'x'] });
    expect(now(0).tags).toEqual(['b', 'c', 'a']);
    await tagArchives(access, [archive(1)], { set: [] });
    expect(now(1).tags).toEqual([]);
  });

  it('says the same about several archives in one entry, and nothing where nothing changes', async () => {
    await tagArchives(access, [archive(0)], { set: ['old'] });
    const seq = access.log.seq;
    const tagged = await tagArchives(access, archives, { add: ['new'] });
    expect(tagged.map(({ tags }) => tags)).toEqual([['old', 'new'], ['new'], ['new']]);
    // One entry for those that end up alike.
    expect(access.log.seq).toBe(seq + 2);
    await tagArchives(access, archives, { add: ['new'] });
    expect(access.log.seq).toBe(seq + 2);
  });

  it('by several clients at once loses none', async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => builder.access()));
    await Promise.all(clients.map((client, i) => tagArchives(client, archives, { add: [`tag ${i}`] })));
    await access.log.refresh();
    for (const i of [0, 1, 2]) expect(now(i).tags.toSorted()).toEqual(['tag 0', 'tag 1', 'tag 2', 'tag 3']);
  });

  it('by clients who want the contrary comes to an end', async () => {
    const other = await builder.access();
    await Promise.all([
      tagArchives(access, archives, { add: ['x'] }),
      tagArchives(other, archives, { remove: ['x'], add: ['y'] }),
    ]);
    await access.log.refresh();
    for (const i of [0, 1, 2]) expect(now(i).tags).toContain('y');
  });

  it('refuses tags that cannot be, and too many', async () => {
    for (const tag of ['', 'a\tb', '\u202e']) {
      await expect(tagArchives(access, archives, { add: [tag] })).rejects.toThrow(coded('USAGE'));
    }
    await tagArchives(access, [archive(0)], { set: ['t'.repeat(LIMITS.tagBytes)] });
    await expect(tagArchives(access, archives, { set: ['t'.repeat(LIMITS.tagBytes + 1)] })).rejects.toThrow(
      coded('LIMIT_EXCEEDED'),
    );
    const most = Array.from({ length: LIMITS.tags }, (_, i) => `${i}`);
    await tagArchives(access, [archive(1)], { set: most });
    await expect(tagArchives(access, [archive(1)], { add: ['one more'] })).rejects.toThrow(coded('LIMIT_EXCEEDED'));
    expect(now(1).tags).toHaveLength(LIMITS.tags);
  });
});

describe('several changes of an archive', () => {
  it('are one entry of the log, and none when nothing changes', async () => {
    const seq = access.log.seq;
    const change = { protect: true, name: 'the move', comment: 'before it', tags: { add: ['keep'] } };
    const wanted = { protect: true, name: 'the move', comment: 'before it', tags: ['keep'] };
    expect(await changeArchive(access, archive(0), change)).toMatchObject(wanted);
    expect(access.log.seq).toBe(seq + 1);
    expect((await builder.access()).log.state.archives.get(archive(0).id)).toMatchObject(wanted);
    await changeArchive(access, archive(0), change);
    expect(access.log.seq).toBe(seq + 1);
    // What is not told stays.
    expect(await changeArchive(access, archive(0), { comment: '' })).toMatchObject({ ...wanted, comment: '' });
  });

  it('are refused together when one of them cannot be', async () => {
    await renameArchive(access, archive(1), 'taken');
    const seq = access.log.seq;
    for (const bad of [{ name: 'taken' }, { name: 'a/b' }, { tags: { add: [''] } }]) {
      await expect(changeArchive(access, archive(0), { protect: true, comment: 'x', ...bad })).rejects.toThrow(
        coded('USAGE'),
      );
    }
    expect([access.log.seq, now(0).protect, now(0).comment]).toEqual([seq, false, '']);
  });
});

describe('any annotation', () => {
  it('is not for keys that only back up', async () => {
    const writer = await builder.access(builder.store, restrict(builder.keys, 'write'));
    const tries = [
      protectArchives(writer, archives, true),
      renameArchive(writer, archive(0), 'other'),
      commentArchives(writer, archives, 'other'),
      tagArchives(writer, archives, { add: ['other'] }),
      changeArchive(writer, archive(0), { comment: 'other' }),
    ];
    for (const one of tries) await expect(one).rejects.toThrow(coded('RIGHT_MISSING'));
    expect((await builder.access()).log.seq).toBe(access.log.seq);
  });

  it('of an archive that was dropped meanwhile says that it is gone', async () => {
    const other = await builder.access();
    await applyDelete(other, planDelete(other, [archive(0)]));
    await other.log.append(() => ({
      kind: 'CONDEMN',
      dropped: [archive(0).id],
      packs: [],
      segments: [],
      reason: '',
    }));
    await access.log.refresh();
    await expect(tagArchives(access, archives, { add: ['x'] })).rejects.toThrow(/is gone: its space was given back/);
  });
});
