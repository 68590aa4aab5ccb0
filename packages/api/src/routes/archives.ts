import { CairnError, fromUtf8, type ArchiveRecord, type ByteString } from '@cairn/core';
import { z } from 'zod';

import { ARCHIVE_SORTS } from '../archives/archive-listing.ts';
import { archivePath } from '../archives/archive-path.ts';
import { archiveRowJson, scopedRowJson } from '../archives/archive-row.ts';
import { ARCHIVE_PAGE, ENTRY, ENTRY_PAGE, LISTED_ARCHIVE, SEARCH_RESULT } from '../archives/archive-schemas.ts';
import { searchArchives } from '../archives/archive-search.ts';
import { pageJson } from '../archives/json-rows.ts';
import { PathScope } from '../archives/path-scope.ts';
import { ENTRY_SORTS } from '../archives/shown-directory.ts';
import { numberText, severalTexts, YES_OR_NO } from '../http/query-values.ts';
import { reply } from '../http/reply.ts';
import { REPOSITORY_PARAM, route } from '../http/route.ts';
import { sendJson } from '../http/send-json.ts';
import type { Principal } from '../rights/principal.ts';
import { bytesField, entryJson } from '../shapes/index.ts';

/** Items of one page at most. */
const MOST_ITEMS = 1_000;
/** Matches of one search at most, and the milliseconds that one may take. */
const SEARCH = { most: 1_000, ms: 20_000, patterns: 20 } as const;

/** An archive in a path: an id, a name, the beginning of one, `latest` or `SERIES@latest`. */
export const ARCHIVE_PARAMS = z.strictObject({ repository: REPOSITORY_PARAM, archive: z.string().min(1).max(255) });

/** How a path in an archive is asked for. */
export const PATH_QUERY = {
  path: z.string().optional().describe('From the root of the archive. Default: `/`.'),
  path_b64: z.string().optional().describe('In its place, for a path that is no UTF-8: its bytes in base64.'),
};

/** What of archives somebody may see. */
export function scopeOf({ ownPaths }: Pick<Principal, 'ownPaths'>): PathScope {
  return PathScope.of(ownPaths?.map(fromUtf8));
}

/** The archive of that name, if the scope has anything of it. Rejects with `ARCHIVE_MISSING`. */
function archiveInScope(archive: ArchiveRecord, scope: PathScope): ArchiveRecord {
  if (scope.concerns(archive)) return archive;
  throw new CairnError('ARCHIVE_MISSING', `there is no archive ${JSON.stringify(archive.name)} with paths of yours`);
}

const listArchives = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives',
  right: 'archives:read',
  summary: 'Archives, page by page, each with what retention says of it.',
  request: {
    params: z.strictObject({ repository: REPOSITORY_PARAM }),
    query: z.strictObject({
      state: z.enum(['live', 'deleted', 'all']).default('live'),
      series: z.string().optional(),
      host: z.string().optional(),
      tag: z.string().optional(),
      text: z.string().max(255).optional().describe('Part of a name, comment, series or tag.'),
      warnings: YES_OR_NO.describe('`true`: only those with warnings, or that are incomplete.'),
      protected: YES_OR_NO,
      sort: z.enum(ARCHIVE_SORTS).default('started'),
      order: z.enum(['ascending', 'descending']).default('descending'),
      offset: numberText(0, Number.MAX_SAFE_INTEGER, 0),
      limit: numberText(1, MOST_ITEMS, 100),
    }),
  },
  responses: { 200: { description: 'A page.', schema: ARCHIVE_PAGE } },
  handler: async (call, services) => {
    const { params, query, principal, signal } = call;
    const { repositories, catalog } = services;
    const { offset, limit, order, ...asked } = query;
    const scope = scopeOf(principal);
    // Whoever sees only some paths sees nothing of what others wrote about archives, so cannot search it either.
    if (scope.isPartial && [asked.host, asked.tag, asked.text, asked.warnings, asked.protected].some(isGiven)) {
      throw new CairnError('RIGHT_MISSING', 'this account can ask for a series, and not for this');
    }
    return await repositories.use(
      params.repository,
      async ({ repository }) => {
        const listing = await catalog.listing(params.repository, repository);
        const { rows, total } = listing.page({ ...asked, descending: order === 'descending' }, scope, offset, limit);
        const doubts = repository.doubts().map(({ message, hint = '' }) => ({ message, hint }));
        const facts = { total, offset, log_entry: repository.access.log.seq };
        const page = pageJson('archives', rows, doubts.length === 0 ? facts : { ...facts, doubts });
        return sendJson(call, services, page);
      },
      signal,
    );
  },
});

const oneArchive = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}',
  right: 'archives:read',
  summary: 'One archive.',
  request: { params: ARCHIVE_PARAMS },
  responses: { 200: { description: 'The archive.', schema: LISTED_ARCHIVE } },
  handler: async ({ params, principal, signal }, { repositories, catalog }) =>
    await repositories.use(
      params.repository,
      async ({ repository }) => {
        const scope = scopeOf(principal);
        const archive = archiveInScope(catalog.archive(repository, params.archive), scope);
        const outlook = (await catalog.listing(params.repository, repository)).outlook(archive.id);
        const json = scope.isPartial ? scopedRowJson(archive, outlook) : archiveRowJson(archive, outlook);
        return reply(200, LISTED_ARCHIVE.parse(json));
      },
      signal,
    ),
});

const browse = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}/entries',
  right: 'archives:read',
  summary: 'The entries of a directory, page by page.',
  request: {
    params: ARCHIVE_PARAMS,
    query: z.strictObject({
      ...PATH_QUERY,
      sort: z.enum(ENTRY_SORTS).default('name'),
      order: z.enum(['ascending', 'descending']).default('ascending'),
      offset: numberText(0, Number.MAX_SAFE_INTEGER, 0),
      limit: numberText(1, MOST_ITEMS, 200),
    }),
  },
  responses: { 200: { description: 'A page.', schema: ENTRY_PAGE } },
  handler: async (call, services) => {
    const { params, query, principal, signal } = call;
    const { repositories, catalog } = services;
    const { sort, order, offset, limit, ...asked } = query;
    const scope = scopeOf(principal);
    const path = archivePath(asked);
    scope.assertShows(path);
    return await repositories.use(
      params.repository,
      async (opened) => {
        const from = await catalog.source(opened, params.archive);
        const directory = await catalog.views.directory(from, path, scope);
        const rows = await directory.page({ sort, descending: order === 'descending', offset, limit });
        const { name, id } = from.archive;
        const facts = { total: directory.count, offset, archive: name, archive_id: id, ...bytesField('path', path) };
        return sendJson(call, services, pageJson('entries', rows, facts));
      },
      signal,
    );
  },
});

const oneEntry = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/archives/{archive}/entry',
  right: 'archives:read',
  summary: 'What is at a path. A link is told, and not followed.',
  request: { params: ARCHIVE_PARAMS, query: z.strictObject(PATH_QUERY) },
  responses: { 200: { description: 'The entry.', schema: ENTRY } },
  handler: async ({ params, query, principal, signal }, { repositories, catalog }) => {
    const path = archivePath(query);
    scopeOf(principal).assertShows(path);
    return await repositories.use(
      params.repository,
      async (opened) => {
        const from = await catalog.source(opened, params.archive);
        const entry = await catalog.views.entry(from, path);
        return reply(200, ENTRY.parse(entryJson(path, entry)));
      },
      signal,
    );
  },
});

const search = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/search',
  right: 'archives:read',
  summary: 'Searches archives for paths, the newest archive first.',
  request: {
    params: z.strictObject({ repository: REPOSITORY_PARAM }),
    query: z.strictObject({
      pattern: severalTexts(SEARCH.patterns)
        .refine((texts) => texts.length > 0, 'must be given')
        .describe('As excludes are written.'),
      archive: severalTexts(SEARCH.patterns).describe('Only in these archives.'),
      series: z.string().optional().describe('Only in archives of this series.'),
      ...PATH_QUERY,
      limit: numberText(1, SEARCH.most, 100),
    }),
  },
  responses: { 200: { description: 'What was found.', schema: SEARCH_RESULT } },
  handler: async ({ params, query, principal, signal }, { repositories, catalog, environment }) => {
    const { pattern, archive: refs, series, limit, ...asked } = query;
    const scope = scopeOf(principal);
    const under: ByteString = archivePath(asked);
    return await repositories.use(
      params.repository,
      async (opened) => {
        const { repository } = opened;
        const archives =
          refs.length > 0
            ? refs.map((ref) => catalog.archive(repository, ref))
            : repository.archives(series === undefined ? {} : { series });
        const request = { patterns: pattern, archives, under, scope, limit, timeMs: SEARCH.ms, signal };
        const source = await catalog.reader(opened);
        const { found, stopped } = await searchArchives(repository, source, environment.clock, request);
        return reply(200, SEARCH_RESULT.parse({ found, ...(stopped === undefined ? {} : { stopped }) }));
      },
      signal,
    );
  },
});

export const ARCHIVE_ROUTES = [listArchives, oneArchive, browse, oneEntry, search] as const;

function isGiven(value: unknown): boolean {
  return value !== undefined;
}
