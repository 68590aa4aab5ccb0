import { readFile } from 'node:fs/promises';

import { systemErrorCode } from '@cairn/core';

/** What stands in the place of a secret. */
const HIDDEN = '***';

/** Characters of a secret below which it is no secret, and hiding it would garble every message. */
const SHORTEST = 4;

/** Bytes of a credentials file that are looked at: more has no such file. */
const CREDENTIALS_BYTES = 1024 * 1024;

/** Takes secrets out of a text. */
export type Scrub = (text: string) => string;

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // `password=…`, `password: …`, `--password=…`; not MySQL's `using password: YES`.
  [
    /((?:password|passwd|passphrase|secret|token)["']?\s*[=:]\s*)(?!(?:YES|NO)\b)("[^"]*"|'[^']*'|[^\s,;]+)/gi,
    `$1${HIDDEN}`,
  ],
  // SQL: `IDENTIFIED BY '…'`, `IDENTIFIED VIA plugin USING '…'`, `PASSWORD '…'`.
  [/(identified\s+(?:by(?:\s+password)?|via\s+\S+\s+(?:using|as))\s+)('[^']*'|\S+)/gi, `$1${HIDDEN}`],
  [/(\bpassword\s+)('[^']*')/gi, `$1${HIDDEN}`],
  // User and password of an address.
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${HIDDEN}@`],
];

/** Hides the given secrets, and what looks like one. */
export function scrubber(secrets: readonly string[] = []): Scrub {
  const longestFirst = [...secrets].filter((secret) => secret.length >= SHORTEST).sort((a, b) => b.length - a.length);
  return (text) => {
    let clean = text;
    for (const secret of longestFirst) clean = clean.replaceAll(secret, HIDDEN);
    for (const [pattern, shown] of PATTERNS) clean = clean.replace(pattern, shown);
    return clean;
  };
}

/**
 * Hides the passwords of a credentials file: an option file of MySQL, a password file of PostgreSQL, YAML of MongoDB. Without a
 * file, or with one that cannot be read, only what looks like a secret: the program itself will say what is wrong with the file.
 */
export async function scrubberOf(credentialsFile: string | undefined): Promise<Scrub> {
  if (credentialsFile === undefined) return scrubber();
  try {
    const text = (await readFile(credentialsFile)).subarray(0, CREDENTIALS_BYTES).toString('utf8');
    return scrubber(text.split('\n').flatMap(secretsOfLine));
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return scrubber();
  }
}

/** The values of a line of which one may be a password. */
function secretsOfLine(line: string): string[] {
  const trimmed = line.trim();
  if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('[')) return [];
  const named = /^(\S*(?:pass|secret|uri)\S*?)\s*[=:]\s*(.+)$/i.exec(trimmed);
  if (named !== null) return unquoted(named[2] ?? '');
  // host:port:database:user:password, in which `\:` is a colon.
  const fields = trimmed.split(/(?<!\\):/);
  return fields.length === 5 ? unquoted((fields[4] ?? '').replace(/\\(.)/g, '$1')) : [];
}

function unquoted(value: string): string[] {
  const inner = /^(["'])(.*)\1$/.exec(value)?.[2];
  return inner === undefined ? [value] : [value, inner];
}
