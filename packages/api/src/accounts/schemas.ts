import { PANEL } from '@cairn/core';
import { z } from 'zod';

import { RIGHT_NAMES, ROLES } from '../rights/table.ts';

/** Names of accounts: they stand in paths, logs and the audit trail. */
export const ACCOUNT_NAME = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,62}$/, 'must be small letters, digits and . _ @ -')
  .describe('small letters, digits and . _ @ -');

/** A new password. What an account logs in with may be older than this rule. */
export const NEW_PASSWORD = z
  .string()
  .min(PANEL.passwordLength)
  .max(1_024)
  .refine((text) => !/\p{Cs}/u.test(text), 'has a broken character in it');

export const PASSWORD = z.string().min(1).max(1_024);

export const ROLE = z.enum(ROLES);
export const RIGHT = z.enum(RIGHT_NAMES);

const MOST_LISTED = 100;

/** Names of repositories that an account or a token is bound to. */
export const REPOSITORIES = z.array(z.string().min(1).max(63)).max(MOST_LISTED);

/** Paths of archives that are an account's own. */
export const OWN_PATHS = z
  .array(
    z
      .string()
      .max(4_096)
      .regex(/^\/(?:[^/\0]+(?:\/[^/\0]+)*)?$/, 'must be an absolute path without a slash at its end')
      .refine((path) => !path.split('/').some((name) => name === '.' || name === '..'), 'must have no . or .. in it'),
  )
  .max(MOST_LISTED);

export const TIME = z.string().describe('RFC 3339, UTC');
