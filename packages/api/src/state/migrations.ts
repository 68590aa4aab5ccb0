/** Accounts, and what proves that somebody is one. Secrets are here as hashes alone. Times are milliseconds since 1970. */
const ACCOUNTS = `
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL,
  password TEXT NOT NULL,
  repositories TEXT,
  paths TEXT,
  disabled INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  password_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  agent TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_account ON sessions (account);
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  account INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  rights TEXT NOT NULL,
  repositories TEXT,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER
) STRICT;
CREATE INDEX tokens_of_account ON tokens (account);
CREATE TABLE setup_links (
  hash TEXT PRIMARY KEY,
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE attempts (
  subject TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  locked_until_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_by_time ON attempts (last_ms);
`;

/** Who did what. A row is made before the act, and told how it ended: what a crash cut off stays without an end. */
const AUDIT = `
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  account TEXT,
  via TEXT,
  address TEXT NOT NULL,
  act TEXT NOT NULL,
  target TEXT NOT NULL,
  status INTEGER,
  code TEXT,
  facts TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);
`;

/** For each root key of each repository: whether it was exported, shown, and proved saved. Never the key. */
const KEY_GATE = `
CREATE TABLE recovery_keys (
  repository TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  export_run TEXT,
  exported_ms INTEGER,
  shown_ms INTEGER,
  asked TEXT,
  asked_ms INTEGER,
  saved_ms INTEGER,
  saved_by TEXT,
  PRIMARY KEY (repository, fingerprint)
) STRICT;
`;

/** What the panel mounted; whether it is there is for the kernel to say. */
const MOUNTS = `
CREATE TABLE mounts (
  id TEXT PRIMARY KEY,
  repository TEXT NOT NULL,
  archive TEXT,
  archive_name TEXT,
  directory TEXT NOT NULL UNIQUE,
  since_ms INTEGER NOT NULL,
  account TEXT NOT NULL,
  beginning INTEGER NOT NULL
) STRICT;
`;

const NOTICES = 'ALTER TABLE recovery_keys ADD COLUMN noticed_ms INTEGER';

/** In the order in which they are applied. One that was in a release is never changed: a later one changes what it made. */
export const MIGRATIONS: readonly string[] = [ACCOUNTS, AUDIT, KEY_GATE, MOUNTS, NOTICES];
