import { displayName, type ByteString } from '@cairn/core';
import { z } from 'zod';

import { archivePath } from '../archives/archive-path.ts';
import { compareArchives } from '../archives/archive-diff.ts';
import { DIFFERENCES } from '../archives/archive-schemas.ts';
import { presentPaths } from '../archives/present-paths.ts';
import { fileDownload, type DownloadConditions, type UsingRepository } from '../archives/file-download.ts';
import { tarDownload } from '../archives/tar-download.ts';
import { numberText, severalTexts } from '../http/query-values.ts';
import { reply } from '../http/reply.ts';
import { route } from '../http/route.ts';
import { streamAnswer } from '../http/stream-answer.ts';
import type { Services } from '../services.ts';
import { ARCHIVE_PARAMS, PATH_QUERY, scopeOf } from './archives.ts';

/** Paths of one selection at most. */
const MOST_PATHS = 500;
/** Characters of paths that are noted of a download. */
const NOTED_CHARACTERS = 1_000;
/** Differences of one answer at most, and the milliseconds that a comparison may take. */
const DIFF = { most: 5_000, ms: 20_000 } as const;

const FILE_QUERY = z
  .strictObject(PATH_QUERY)
  .refine(({ path, path_b64: bytes }) => path !== undefined || bytes !== undefined, 'must name a file');

const download = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}/file',
  right: 'archives:restore',
  audit: 'always',
  summary: 'The content of a file, or a range of it. Always to be saved, never to be shown.',
  request: { params: ARCHIVE_PARAMS, query: FILE_QUERY },
  responses: {
    200: { description: 'The file.', mediaType: 'application/octet-stream' },
    206: { description: 'The range of `Range`.', mediaType: 'application/octet-stream' },
    304: { description: 'The file of `If-None-Match`.' },
  },
  handler: async (call, services) => {
    const { params, query, principal, headers, note, signal } = call;
    const path = archivePath(query);
    scopeOf(principal).assertCovers(path);
    const { repositories, catalog } = services;
    // The stream has the repository to itself until its end: it must not be closed in between.
    const { archive, entry } = await repositories.use(
      params.repository,
      async (opened) => {
        const from = await catalog.source(opened, params.archive);
        return { archive: from.archive, entry: await catalog.views.file(from, path) };
      },
      signal,
    );
    note({ archive: archive.name, paths: noted([path]), bytes: entry.size });
    const read = usingReader(services, params.repository);
    const send = streamAnswer(call, services, brokeOff(services, archive.name));
    return await fileDownload(archive, path, entry, conditionsOf(headers), read, send);
  },
});

const tar = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}/tar',
  right: 'archives:restore',
  audit: 'always',
  summary: 'An archive, or what is at and below some paths, as a tar stream in pax format.',
  request: {
    params: ARCHIVE_PARAMS,
    query: z.strictObject({
      path: severalTexts(MOST_PATHS).describe('From the root of the archive; may be repeated. Default: everything.'),
      path_b64: severalTexts(MOST_PATHS).describe('Paths that are no UTF-8, in base64.'),
      damaged: z
        .enum(['stop', 'skip'])
        .default('stop')
        .describe('What becomes of entries that cannot be read: the stream breaks off, or they are left out.'),
    }),
  },
  responses: { 200: { description: 'The stream.', mediaType: 'application/x-tar' } },
  handler: async (call, services) => {
    const { params, query, principal, note, signal } = call;
    const asked = [...query.path.map((path) => ({ path })), ...query.path_b64.map((path) => ({ path_b64: path }))];
    const wanted = asked.length === 0 ? ['/'] : asked.map(archivePath);
    const scope = scopeOf(principal);
    const { repositories, catalog } = services;
    const { archive, paths } = await repositories.use(
      params.repository,
      async (opened) => {
        const from = await catalog.source(opened, params.archive);
        // A path that is not there is told before the stream begins.
        return { archive: from.archive, paths: await presentPaths(catalog.views, [from], wanted, scope) };
      },
      signal,
    );
    note({ archive: archive.name, paths: noted(paths) });
    const read = usingReader(services, params.repository);
    const send = streamAnswer(call, services, brokeOff(services, archive.name));
    return await tarDownload(archive, { paths, skipDamaged: query.damaged === 'skip' }, read, send);
  },
});

const diff = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}/diff/{other}',
  right: 'archives:read',
  summary: 'What differs between an archive and a later one.',
  request: {
    params: z.strictObject({ ...ARCHIVE_PARAMS.shape, other: z.string().min(1).max(255) }),
    query: z.strictObject({ ...PATH_QUERY, limit: numberText(1, DIFF.most, 1_000) }),
  },
  responses: { 200: { description: 'The differences.', schema: DIFFERENCES } },
  handler: async ({ params, query, principal, signal }, { repositories, catalog, environment }) => {
    const { limit, ...asked } = query;
    const wanted = [archivePath(asked)];
    const scope = scopeOf(principal);
    return await repositories.use(
      params.repository,
      async (opened) => {
        const before = await catalog.source(opened, params.archive);
        const after = await catalog.source(opened, params.other);
        const paths = await presentPaths(catalog.views, [before, after], wanted, scope);
        const compared = { before: before.archive, after: after.archive, paths };
        const request = { ...compared, limit, timeMs: DIFF.ms, signal };
        const found = await compareArchives(opened.repository, before.source, environment.clock, request);
        return reply(200, DIFFERENCES.parse(found));
      },
      signal,
    );
  },
});

export const ARCHIVE_FILE_ROUTES = [download, tar, diff] as const;

/** Paths as the audit trail has them: who fetched what, as far as there is room for it. */
function noted(paths: readonly ByteString[]): string {
  const text = paths.map(displayName).join(' ');
  return text.length <= NOTED_CHARACTERS ? text : `${text.slice(0, NOTED_CHARACTERS)}… (${paths.length} paths)`;
}

/** Lets a stream work with the repository as long as it lasts. */
function usingReader({ repositories, catalog }: Services, name: string): UsingRepository {
  return async (work) =>
    await repositories.use(name, async (opened) => await work(opened.repository, await catalog.reader(opened)));
}

function conditionsOf(headers: Headers): DownloadConditions {
  return {
    range: headers.get('range') ?? undefined,
    ifRange: headers.get('if-range') ?? undefined,
    ifNoneMatch: headers.get('if-none-match') ?? undefined,
  };
}

/** The client sees only that the stream broke off; the log has the reason. */
function brokeOff({ logger }: Services, archive: string): (error: unknown) => void {
  return (error) => logger.error('a download broke off', { archive, error: String(error) });
}
