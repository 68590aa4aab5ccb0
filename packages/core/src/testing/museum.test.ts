import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { ENTRY_KIND_NAME, type TreeEntry } from '../tree/entry.ts';
import { checkRepository } from '../verbs/check.ts';
import { readOrRefuseLater } from './refusals.ts';
import { MuseumPiece, museumPieces, pathOfText, type ExpectedArchive, type ExpectedFile } from './museum.ts';

const latin1Hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

/** What `expected.json` may say of an entry. */
function factsOf(entry: TreeEntry): Record<string, unknown> {
  return {
    kind: ENTRY_KIND_NAME[entry.kind].replace(' ', '-'),
    size: entry.size,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    mtime: String(entry.mtimeNs),
    user: entry.user,
    group: entry.group,
    target: entry.target,
    device: entry.device,
    xattrs: Object.fromEntries((entry.xattrs ?? []).map(([name, value]) => [name, Buffer.from(value).toString('hex')])),
    holes: entry.holes ?? [],
    flags: entry.flags,
    changed: entry.state === 1,
  };
}

/** The same facts as the file has them, in the form of `factsOf`. */
function wantedOf(file: ExpectedFile): Record<string, unknown> {
  const apart = ['sha256', 'link', 'damaged'];
  const facts = Object.fromEntries(Object.entries(file).filter(([name]) => !apart.includes(name)));
  const { target, xattrs } = facts as { target?: string | null; xattrs?: Record<string, string> };
  return {
    ...facts,
    ...(typeof target === 'string' ? { target: pathOfText(target) } : {}),
    ...(xattrs === undefined
      ? {}
      : { xattrs: Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [pathOfText(name), value])) }),
  };
}

async function viewOf(access: RepositoryAccess, expected: ExpectedArchive): Promise<ArchiveView> {
  const archive = [...access.log.state.archives.values()].find(
    (a) => a.name === expected.name && a.state !== 'dropped',
  );
  if (archive === undefined) throw new Error(`there is no ${expected.name}`);
  expect(archive.state === 'deleted').toBe(expected.hidden ?? false);
  return new ArchiveView(await access.chunkReader(), archive);
}

async function contentHash(view: ArchiveView, path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of view.read(path)) hash.update(piece);
  return hash.digest('hex');
}

async function compareFile(view: ArchiveView, text: string, wanted: ExpectedFile): Promise<void> {
  const path = pathOfText(text);
  if (wanted.damaged === true) {
    const answer = await readOrRefuseLater(async () => {
      const entry = await view.entry(path);
      if (entry.kind === 2) for await (const child of view.entries(path)) void child;
      else await contentHash(view, path);
    }).catch((error: unknown) => ({ refused: isCairnError(error) ? error.code : String(error) }));
    expect('refused' in answer ? answer.refused : 'read', text).toMatch(/^(CORRUPT|OBJECT_MISSING)$/);
    return;
  }
  const entry = await view.entry(path);
  expect(factsOf(entry), text).toMatchObject(wantedOf(wanted));
  if (wanted.sha256 !== undefined) expect(await contentHash(view, path), text).toBe(wanted.sha256);
  if (wanted.link !== undefined) {
    const { link, inode } = await view.entry(pathOfText(wanted.link));
    expect(link).not.toBeNull();
    expect([entry.link, entry.inode]).toEqual([link, inode]);
  }
}

async function compareArchive(access: RepositoryAccess, expected: ExpectedArchive): Promise<void> {
  const view = await viewOf(access, expected);
  for (const [text, wanted] of Object.entries(expected.files)) await compareFile(view, text, wanted);
  const isWhole = expected.partial !== true && !Object.values(expected.files).some(({ damaged }) => damaged === true);
  if (!isWhole) return;
  const known = new Set(Object.keys(expected.files).map(pathOfText));
  for await (const { path, entry } of view.walk()) {
    expect(entry.kind === 2 || known.has(path), latin1Hex(path)).toBe(true);
  }
}

const PIECES = museumPieces().map((name) => [name, new MuseumPiece(name)] as const);
const OPEN = PIECES.filter(([, { expected }]) => expected.opens !== false);

describe('a sample repository', () => {
  it.each(PIECES.filter(([, { expected }]) => expected.opens === false))(
    'is refused as a whole: %s',
    async (_, piece) => {
      await expect(piece.open()).rejects.toThrow(
        expect.toSatisfy((error) => isCairnError(error, 'CORRUPT') || isCairnError(error, 'OBJECT_MISSING')),
      );
    },
  );

  it.each(OPEN)('has these archives: %s', async (_, piece) => {
    const { log } = await piece.open();
    const there = [...log.state.archives.values()].filter(({ state }) => state !== 'dropped');
    const wanted = piece.expected.archives.map(({ name }) => name);
    expect(there.map(({ name }) => name).sort()).toEqual([...wanted].sort());
  });

  it.each(OPEN)('is found good, or not, by a check that reads everything: %s', async (_, piece) => {
    const report = await checkRepository(await piece.open(), { data: true, threads: 0 });
    expect(report.errors > 0, JSON.stringify(report.findings)).toBe(piece.expected.outcome === 'damaged');
  });

  it.each(OPEN.filter(([, { expected }]) => expected.fromPacks !== true))(
    'holds what was backed up: %s',
    async (_, piece) => {
      const access = await piece.open();
      for (const archive of piece.expected.archives) await compareArchive(access, archive);
    },
  );
});
