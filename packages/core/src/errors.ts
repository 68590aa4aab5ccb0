/** What a caller may do about an error without asking a person. */
export type Retry = 'never' | 'later' | 'now';

interface ErrorRow {
  /** Exit status of the command line. Numbers shared with restic (0, 1, 3, 10, 12, 130) mean the same. */
  readonly exit: number;
  /** HTTP status where the error crosses a server. */
  readonly http: number;
  readonly retry: Retry;
  /** One sentence: when this code is used. */
  readonly when: string;
}

/** The one table of errors. `docs/reference/errors.md` documents each row; a test holds the two together. */
export const ERROR_TABLE = {
  USAGE: { exit: 2, http: 400, retry: 'never', when: 'An option, argument or configuration value is wrong.' },
  REPOSITORY_MISSING: { exit: 10, http: 404, retry: 'never', when: 'There is no repository at the given place.' },
  WRONG_KEY: { exit: 12, http: 403, retry: 'never', when: 'No key, passphrase or slot at hand opens this.' },
  RIGHT_MISSING: {
    exit: 12,
    http: 403,
    retry: 'never',
    when: 'The key file lacks the capability that the action needs.',
  },
  REPOSITORY_EXISTS: { exit: 13, http: 409, retry: 'never', when: 'There is a repository already.' },
  FORMAT_UNSUPPORTED: { exit: 14, http: 422, retry: 'never', when: 'The repository needs a newer program.' },
  ARCHIVE_MISSING: { exit: 15, http: 404, retry: 'never', when: 'No archive has that name or id.' },
  ARCHIVE_AMBIGUOUS: { exit: 15, http: 400, retry: 'never', when: 'Several archives match that name or id.' },
  ARCHIVE_PROTECTED: { exit: 17, http: 409, retry: 'never', when: 'A protected archive would be deleted.' },
  PATH_MISSING: { exit: 15, http: 404, retry: 'never', when: 'The archive has no such path.' },
  NOT_FOUND: { exit: 15, http: 404, retry: 'never', when: 'There is nothing of that name.' },
  JOB_BUSY: { exit: 18, http: 409, retry: 'later', when: 'A run of the job is under way.' },
  STEP_FAILED: { exit: 19, http: 500, retry: 'never', when: 'A hook or a dump of a job failed.' },
  TIME_OVER: { exit: 24, http: 504, retry: 'later', when: 'A time limit of a job was reached.' },
  PLAN_STALE: { exit: 16, http: 412, retry: 'later', when: 'The repository changed since the plan was made.' },
  SHARE_EXCEEDED: { exit: 17, http: 409, retry: 'never', when: 'More would be removed at once than is allowed.' },
  CORRUPT: { exit: 20, http: 500, retry: 'never', when: 'An object fails authentication, or does not parse.' },
  OBJECT_MISSING: {
    exit: 21,
    http: 500,
    retry: 'never',
    when: 'An object that is referred to is absent or too short.',
  },
  ROLLBACK_DETECTED: {
    exit: 22,
    http: 409,
    retry: 'never',
    when: 'The store shows an older or other history than this client has seen.',
  },
  OBJECT_EXISTS: { exit: 23, http: 409, retry: 'never', when: 'A put would overwrite an object.' },
  STORE_UNREACHABLE: { exit: 30, http: 503, retry: 'now', when: 'The store does not answer.' },
  STORE_FULL: { exit: 31, http: 507, retry: 'later', when: 'The store has no space or quota left.' },
  STORE_DENIED: { exit: 32, http: 403, retry: 'never', when: 'The credential has no right to do this.' },
  STORE_UNTRUSTED: { exit: 33, http: 502, retry: 'never', when: 'The server does not prove who it is.' },
  STORE_FAILED: { exit: 34, http: 500, retry: 'later', when: 'The store reported an input or output error.' },
  SOURCE_UNREADABLE: { exit: 40, http: 500, retry: 'never', when: 'Nothing of the source could be read.' },
  TARGET_EXISTS: { exit: 41, http: 409, retry: 'never', when: 'A restore would overwrite something.' },
  TARGET_FAILED: { exit: 42, http: 500, retry: 'never', when: 'A restore target could not be written.' },
  MOUNT_FAILED: { exit: 43, http: 500, retry: 'never', when: 'A file system could not be mounted or unmounted.' },
  MOUNT_BUSY: { exit: 44, http: 409, retry: 'later', when: 'A mounted file system is in use.' },
  TAR_INVALID: { exit: 45, http: 422, retry: 'never', when: 'A tar stream is damaged, cut off or not allowed.' },
  LOGIN_REQUIRED: { exit: 32, http: 401, retry: 'never', when: 'A request to the panel does not say who sends it.' },
  NOT_ALLOWED: { exit: 32, http: 403, retry: 'never', when: 'The account may not do this at the panel.' },
  KEY_EXPORT_REQUIRED: {
    exit: 46,
    http: 423,
    retry: 'never',
    when: 'The recovery key of a repository was not yet exported and proved saved.',
  },
  CONFLICT: { exit: 17, http: 409, retry: 'never', when: 'What is there already does not allow it.' },
  TOO_MANY_REQUESTS: {
    exit: 47,
    http: 429,
    retry: 'later',
    when: 'Too much was asked for, or attempted, in a short time.',
  },
  ALERT_FAILED: { exit: 48, http: 502, retry: 'later', when: 'A mail, webhook or ping was not taken.' },
  LIMIT_EXCEEDED: { exit: 50, http: 413, retry: 'never', when: 'A value is beyond a bound of the format.' },
  HOST_UNSUPPORTED: {
    exit: 60,
    http: 501,
    retry: 'never',
    when: 'This machine lacks something that the action needs.',
  },
  INTERNAL: { exit: 70, http: 500, retry: 'never', when: 'A check on the program itself failed: a bug.' },
  CANCELLED: { exit: 130, http: 499, retry: 'later', when: 'A signal or the caller stopped the work.' },
} as const satisfies Record<string, ErrorRow>;

/** A code of the table; `docs/reference/errors.md` has a section for each. */
export type ErrorCode = keyof typeof ERROR_TABLE;

/** Exit status when the work is done but some entries were left out. A value of the report, never thrown. */
export const EXIT_INCOMPLETE = 3;

/** What an error says beside code and message. */
export interface ErrorOptions {
  /** One sentence: the next thing to try. */
  readonly hint?: string;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

/** What an error looks like in JSON output. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly exit: number;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

const BRAND = Symbol.for('cairn.error');

/** The one error class. `message` says what happened and to which file or object; `hint` what to do next. */
export class CairnError extends Error {
  override readonly name = 'CairnError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, string | number | boolean>> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  get exit(): number {
    return ERROR_TABLE[this.code].exit;
  }

  get retry(): Retry {
    return ERROR_TABLE[this.code].retry;
  }

  toJSON(): ErrorReport {
    return {
      code: this.code,
      exit: this.exit,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** Tests by a registered symbol, so it holds across realms and across two loaded copies of the package. */
export function isCairnError(error: unknown, code?: ErrorCode): error is CairnError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** The `code` of a Node system error (`ENOENT`, …), or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const BUG_HINT = 'This is a bug in Cairn; please report it.';

/** Any error as one of the table: what is none is a bug, which `hint` says what to do about. */
export function knownError(error: unknown, hint: string = BUG_HINT): CairnError {
  if (isCairnError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CairnError('INTERNAL', message, { hint, cause: error });
}

/** Throws `INTERNAL` when the program itself is wrong. Never used for input from outside; never caught. */
export function invariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new CairnError('INTERNAL', `internal check failed: ${what}`, { hint: BUG_HINT });
}
