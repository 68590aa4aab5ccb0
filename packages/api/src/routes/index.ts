import type { Route } from '../http/route.ts';
import { ACCOUNT_ROUTES } from './accounts.ts';
import { ARCHIVE_DECISION_ROUTES } from './archive-decisions.ts';
import { ARCHIVE_FILE_ROUTES } from './archive-files.ts';
import { ARCHIVE_ROUTES } from './archives.ts';
import { AUDIT_ROUTES } from './audit.ts';
import { HEALTH_ROUTES } from './health.ts';
import { JOB_ROUTES } from './jobs.ts';
import { KEY_EXPORT_ROUTES } from './key-export.ts';
import { MOUNT_ROUTES } from './mounts.ts';
import { RECOVERY_KEY_ROUTES } from './recovery-key.ts';
import { REPOSITORY_ROUTES } from './repositories.ts';
import { RETENTION_ROUTES } from './retention.ts';
import { RUN_ROUTES } from './runs.ts';
import { SESSION_ROUTES } from './session.ts';
import { TOKEN_ROUTES } from './tokens.ts';

/** Every route of the panel. What is not here does not exist. */
export const ROUTES = [
  ...HEALTH_ROUTES,
  ...SESSION_ROUTES,
  ...TOKEN_ROUTES,
  ...ACCOUNT_ROUTES,
  ...AUDIT_ROUTES,
  ...RECOVERY_KEY_ROUTES,
  ...KEY_EXPORT_ROUTES,
  ...REPOSITORY_ROUTES,
  ...ARCHIVE_ROUTES,
  ...ARCHIVE_FILE_ROUTES,
  ...ARCHIVE_DECISION_ROUTES,
  ...RETENTION_ROUTES,
  ...JOB_ROUTES,
  ...RUN_ROUTES,
  ...MOUNT_ROUTES,
] as const;

/** The same for those who walk all of them alike. */
export const ALL_ROUTES: readonly Route[] = ROUTES;
