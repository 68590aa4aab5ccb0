import { CairnError, type ArchiveChange, type ArchiveRecord, type Because } from '@cairn/core';
import { z } from 'zod';

import { ARCHIVE, DELETION } from '../archives/archive-schemas.ts';
import { reply } from '../http/reply.ts';
import { REPOSITORY_PARAM, route } from '../http/route.ts';
import type { Principal } from '../rights/principal.ts';
import { archiveJson, deletionJson } from '../shapes/index.ts';
import { ARCHIVE_PARAMS } from './archives.ts';

/** Archives of one request at most. */
const MOST_ARCHIVES = 1_000;

const REFS = z.array(z.string().min(1).max(255)).min(1).max(MOST_ARCHIVES);

const DELETION_BODY = z.strictObject({
  archives: REFS.describe('Whole ids or names.'),
  reason: z.string().max(1_000).optional().describe('For who reads the log of the repository, beside who did it.'),
  dry_run: z.boolean().default(false).describe('Tells what would be done, and does nothing.'),
});

const TAGS = z.array(z.string().min(1).max(255)).max(100);

/** As `cairn delete` notes who decided. */
function because(reason: string | undefined, { name }: Pick<Principal, 'name'>): Because {
  return { by: `${name} (panel)`, ...(reason === undefined ? {} : { reason }) };
}

const deleteArchives = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/delete',
  right: 'archives:delete',
  summary: 'Hides archives. They can be brought back until their grace is over.',
  request: { params: z.strictObject({ repository: REPOSITORY_PARAM }), body: DELETION_BODY },
  responses: { 200: { description: 'What was deleted, and what was before.', schema: DELETION } },
  handler: async ({ params, body, principal, note }, { repositories, catalog }) =>
    await repositories.use(params.repository, async ({ repository }) => {
      const chosen = body.archives.map((ref) => named(catalog.archive(repository, ref), ref));
      const plan = await repository.planDelete(chosen);
      const report = body.dry_run ? undefined : await repository.delete(plan, because(body.reason, principal));
      note({ archives: namesOf((report ?? plan).archives), dry_run: body.dry_run });
      return reply(200, DELETION.parse(deletionJson(plan, report)));
    }),
});

const undelete = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/undelete',
  right: 'archives:delete',
  summary: 'Brings deleted archives back.',
  request: { params: z.strictObject({ repository: REPOSITORY_PARAM }), body: DELETION_BODY },
  responses: { 200: { description: 'What was brought back, and what was there already.', schema: DELETION } },
  handler: async ({ params, body, principal, note }, { repositories }) =>
    await repositories.use(params.repository, async ({ repository }) => {
      const chosen = body.archives.map((ref) => named(repository.archive(ref, { deleted: 'only' }), ref));
      const plan = await repository.planUndelete(chosen);
      const report = body.dry_run ? undefined : await repository.undelete(plan, because(body.reason, principal));
      note({ archives: namesOf((report ?? plan).archives), dry_run: body.dry_run });
      return reply(200, DELETION.parse(deletionJson(plan, report)));
    }),
});

/** Sent twice, `latest` or the beginning of a name would mean another archive the second time. */
function named(archive: ArchiveRecord, ref: string): ArchiveRecord {
  if (ref === archive.id || ref === archive.name) return archive;
  throw new CairnError('USAGE', `${JSON.stringify(ref)} is no whole id or name of an archive`, {
    hint: `It may mean ${archive.name} (${archive.id}): ask for that.`,
  });
}

const CHANGES = z
  .strictObject({
    protected: z.boolean().optional().describe('Nobody can delete it, and retention keeps it.'),
    comment: z.string().optional(),
    tags: z.strictObject({ set: TAGS.optional(), add: TAGS.optional(), remove: TAGS.optional() }).optional(),
    name: z.string().optional(),
  })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), 'must change something');

const annotate = route({
  method: 'PATCH',
  path: '/api/v1/repositories/{repository}/archives/{archive}',
  right: 'archives:delete',
  summary: 'Protects an archive or ends that, renames it, and changes its comment and tags.',
  request: { params: ARCHIVE_PARAMS, body: CHANGES },
  responses: { 200: { description: 'The archive as it is now.', schema: ARCHIVE } },
  handler: async ({ params, body, note }, { repositories, catalog }) =>
    await repositories.use(params.repository, async ({ repository }) => {
      const before = catalog.archive(repository, params.archive);
      const after = await repository.change(before, changeOf(body));
      note({ archive: before.name, changed: Object.keys(body).join(' ') });
      return reply(200, ARCHIVE.parse(archiveJson(after)));
    }),
});

function changeOf({ protected: protect, name, comment, tags }: z.output<typeof CHANGES>): ArchiveChange {
  const { set, add, remove } = tags ?? {};
  return {
    protect,
    name,
    comment,
    ...(tags && { tags: { ...(set && { set }), ...(add && { add }), ...(remove && { remove }) } }),
  };
}

function namesOf(archives: readonly ArchiveRecord[]): string {
  return archives.map(({ name }) => name).join(' ');
}

export const ARCHIVE_DECISION_ROUTES = [deleteArchives, undelete, annotate] as const;
