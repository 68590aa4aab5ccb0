import { z } from 'zod';

/** What routes of archives give, for the document and the client. Shapes are those of docs/reference/json.md. */

const TIME = z.string().describe('RFC 3339 in UTC');

const RETENTION_OUTLOOK = z
  .strictObject({
    keep: z.boolean().describe('false: the next prune removes it'),
    reasons: z.array(z.string()).describe('why it is kept, as `daily 3/7`'),
    policy: z.string(),
    job: z.string().optional().describe('the job whose policy it is; absent: the default, which nothing carries out'),
    goes: TIME.optional().describe(
      'when a prune is going to remove it if the series goes on as it did; absent: not foreseen',
    ),
  })
  .describe('What retention says of the archive. Absent when it is deleted.');

const STATS = z.strictObject({
  files: z.int(),
  directories: z.int(),
  others: z.int(),
  bytes: z.int(),
  new_bytes: z.int(),
  stored_bytes: z.int(),
  chunks: z.int(),
  new_chunks: z.int(),
});

/** An archive as `cairn list --json` shows it. */
export const ARCHIVE = z.strictObject({
  id: z.string(),
  name: z.string(),
  series: z.string(),
  host: z.string(),
  user: z.string(),
  started: TIME,
  ended: TIME,
  received: TIME.optional(),
  paths: z.array(z.string()),
  paths_b64: z.array(z.string()).optional(),
  state: z.enum(['live', 'deleted', 'dropped']),
  deleted: TIME.optional(),
  droppable: TIME.optional(),
  complete: z.boolean(),
  protected: z.boolean(),
  tags: z.array(z.string()),
  comment: z.string(),
  program: z.string(),
  parent: z.string().optional(),
  stats: STATS,
  warnings: z.record(z.string(), z.int()),
});

const ADDITIONS = { duration_ms: z.int(), retention: RETENTION_OUTLOOK.optional() };

/** An archive in a listing. What an account may not know that sees only its own paths is left out for it. */
export const LISTED_ARCHIVE = z.strictObject({
  ...ARCHIVE.shape,
  ...ARCHIVE.pick({
    host: true,
    user: true,
    paths: true,
    protected: true,
    tags: true,
    comment: true,
    program: true,
    stats: true,
    warnings: true,
  }).partial().shape,
  ...ADDITIONS,
});

export const ARCHIVE_PAGE = z.strictObject({
  archives: z.array(LISTED_ARCHIVE),
  total: z.int().describe('archives that meet the conditions'),
  offset: z.int(),
  log_entry: z.int().describe('number of the newest log entry that was taken into account'),
  doubts: z
    .array(z.strictObject({ message: z.string(), hint: z.string() }))
    .optional()
    .describe('when there are any: entries of the log that no key opens. Archives of theirs are not in the list.'),
});

/** An entry as `cairn ls --json` shows it. */
export const ENTRY = z.strictObject({
  path: z.string(),
  path_b64: z.string().optional().describe('when the path is no UTF-8: its bytes'),
  type: z.string(),
  mode: z.string(),
  uid: z.int(),
  gid: z.int(),
  user: z.string().optional(),
  group: z.string().optional(),
  size: z.int(),
  mtime: TIME,
  target: z.string().optional(),
  target_b64: z.string().optional(),
  device: z.string().optional(),
  xattrs: z.array(z.string()).optional(),
});

export const ENTRY_PAGE = z.strictObject({
  entries: z.array(ENTRY),
  total: z.int(),
  offset: z.int(),
  archive: z.string(),
  archive_id: z.string(),
  path: z.string(),
  path_b64: z.string().optional(),
});

export const SEARCH_RESULT = z.strictObject({
  found: z.array(z.strictObject({ archive: z.string(), archive_id: z.string(), ...ENTRY.shape })),
  stopped: z.enum(['limit', 'time']).optional().describe('what ended the search before it saw everything'),
});

const CHANGE = z.strictObject({
  path: z.string(),
  path_b64: z.string().optional(),
  change: z.enum(['added', 'removed', 'modified', 'type']),
  what: z.array(z.string()),
  added_bytes: z.int(),
  removed_bytes: z.int(),
  before: ENTRY.optional(),
  after: ENTRY.optional(),
});

export const DIFFERENCES = z.strictObject({
  before: z.string(),
  after: z.string(),
  changes: z.array(CHANGE),
  stopped: z.enum(['limit', 'time']).optional().describe('what ended the comparison before it saw everything'),
});

export const DELETION = z.strictObject({
  dry_run: z.boolean(),
  archives: z.array(ARCHIVE),
  unchanged: z.array(ARCHIVE),
});
