import { CairnError } from '@cairn/core';
import { z } from 'zod';

import { REPOSITORY_PARAM, route } from '../http/route.ts';
import type { Mount } from '../mounts/mount-supervisor.ts';
import { mayUseRepository, type Principal } from '../rights/principal.ts';
import type { Services } from '../services.ts';
import { optionalTime } from '../state/time.ts';

const MOUNT = z.strictObject({
  id: z.string().describe('of the directory'),
  directory: z.string().describe('where it is mounted'),
  state: z
    .enum(['beginning', 'mounted', 'dead'])
    .describe('what the kernel says; dead: its process is gone, and it could not be cleared'),
  repository: z.string().nullable().describe('null for a mount that was not made here'),
  archive: z.string().nullable().describe('name of the archive; null for a whole repository'),
  archive_id: z.string().nullable(),
  archive_state: z
    .enum(['live', 'deleted', 'gone', 'unknown'])
    .nullable()
    .describe(
      'deleted: can be brought back; gone: is nowhere but in this mount; unknown: the repository does not answer',
    ),
  since: z.iso.datetime().nullable(),
  account: z.string().nullable().describe('who mounted it'),
});

const MOUNT_PARAM = z.strictObject({ mount: z.string().regex(/^[0-9a-f]{16}$/, 'must be the id of a mount') });

function mountJson({ id, directory, state, record, standing }: Mount): z.input<typeof MOUNT> {
  return {
    id,
    directory,
    state,
    repository: record?.repository ?? null,
    archive: record?.archive?.name ?? null,
    archive_id: record?.archive?.id ?? null,
    archive_state: standing ?? null,
    since: optionalTime(record?.sinceMs),
    account: record?.account ?? null,
  };
}

/** Whether somebody may know of a mount: those that were not made here are for who may ask for every repository. */
function maySee(principal: Principal, repository: string | undefined): boolean {
  return repository === undefined ? principal.repositories === undefined : mayUseRepository(principal, repository);
}

async function listMounts(principal: Principal, { mounts }: Services): Promise<{ mounts: Mount[]; cached: Mount[] }> {
  const seen = (await mounts.list()).filter(({ record }) => maySee(principal, record?.repository));
  const isCached = ({ standing }: Mount): boolean => standing === 'deleted' || standing === 'gone';
  return { mounts: seen.filter((mount) => !isCached(mount)), cached: seen.filter(isCached) };
}

const list = route({
  method: 'GET',
  path: '/api/v1/mounts',
  right: 'mounts:read',
  summary: 'What is mounted now; apart from it what is still readable although its archive was deleted',
  responses: {
    200: {
      description: 'as the kernel tells it, oldest first',
      schema: z.strictObject({ mounts: z.array(MOUNT), cached: z.array(MOUNT) }),
    },
  },
  async handler({ principal }, services) {
    const { mounts, cached } = await listMounts(principal, services);
    return { status: 200, body: { mounts: mounts.map(mountJson), cached: cached.map(mountJson) } };
  },
});

const mount = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/mounts',
  right: 'mounts:change',
  summary: 'Mount an archive, or the whole repository',
  request: {
    params: z.strictObject({ repository: REPOSITORY_PARAM }),
    body: z.strictObject({
      archive: z
        .string()
        .min(1)
        .max(1_000)
        .nullable()
        .describe('name, id, the beginning of one, latest or SERIES@latest; null: the whole repository'),
    }),
  },
  responses: {
    201: { description: 'it is mounted', schema: MOUNT },
    200: { description: 'it was mounted before', schema: MOUNT },
  },
  async handler({ params, body, principal, note }, { mounts }) {
    const { repository } = params;
    const { mount: made, isNew } = await mounts.mount({
      repository,
      archive: body.archive ?? undefined,
      account: principal.name,
    });
    note({ directory: made.directory, ...(made.record?.archive ? { archive: made.record.archive.name } : {}) });
    const shown = mountJson(made);
    return isNew ? { status: 201, body: shown } : { status: 200, body: shown };
  },
});

const unmount = route({
  method: 'DELETE',
  path: '/api/v1/mounts/{mount}',
  right: 'mounts:change',
  summary: 'Unmount; one that is in use is left alone, unless it shall go out of sight all the same',
  request: {
    params: MOUNT_PARAM,
    query: z.strictObject({
      lazy: z.enum(['true', 'false']).default('false').describe('what is open stays readable until it is closed'),
    }),
  },
  responses: { 204: { description: 'it is gone' } },
  async handler({ params, query, principal, note }, { mounts }) {
    const record = mounts.recordOf(params.mount);
    // As if there were none: that there is one is nothing for who may not see it.
    if (!maySee(principal, record?.repository)) {
      throw new CairnError('NOT_FOUND', `there is no mount ${params.mount}`, {
        hint: 'GET /api/v1/mounts lists them.',
      });
    }
    if (record !== undefined) note({ directory: record.directory });
    await mounts.unmount(params.mount, { lazy: query.lazy === 'true' });
    return { status: 204 };
  },
});

export const MOUNT_ROUTES = [list, mount, unmount];
