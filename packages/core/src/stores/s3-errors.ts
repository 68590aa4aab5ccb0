import { CairnError, type ErrorCode } from '../errors.ts';
import type { Answer } from './http-exchange.ts';
import { xmlText } from './s3-listing.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** What to say of a service that cannot hold the promise of a put. */
export const NEEDS_CONDITION =
  'A repository needs a service that knows `If-None-Match: *`, so that nothing is ever overwritten.';

/** Codes of the service (Amazon S3 API Reference, "Error responses"; Ceph and MinIO add some). */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: {
    code: 'REPOSITORY_MISSING',
    hint: 'Check the name of the bucket and the region, or make the bucket first.',
  },
  QuotaExceeded: { code: 'STORE_FULL', hint: 'Raise the quota of the bucket or its owner.' },
  XMinioStorageFull: { code: 'STORE_FULL', hint: 'Free space in the store.' },
  RequestTimeTooSkewed: { code: 'STORE_DENIED', hint: 'Set the clock of this machine; S3 allows it 15 minutes.' },
  InvalidAccessKeyId: {
    code: 'STORE_DENIED',
    hint: 'Check the access key and the endpoint: the service does not know it.',
  },
  SignatureDoesNotMatch: { code: 'STORE_DENIED', hint: 'Check the secret access key, and the region.' },
  ExpiredToken: { code: 'STORE_DENIED', hint: 'Get new credentials.' },
  InvalidToken: { code: 'STORE_DENIED', hint: 'Check AWS_SESSION_TOKEN, and unset it if these credentials have none.' },
  AuthorizationHeaderMalformed: {
    code: 'STORE_FAILED',
    hint: 'Name the region of the bucket: add ?region=… to the address.',
  },
  PermanentRedirect: { code: 'STORE_FAILED', hint: 'Name the region of the bucket: add ?region=… to the address.' },
  RequestTimeout: { code: 'STORE_UNREACHABLE', hint: 'Check the network.' },
  BadDigest: { code: 'STORE_UNREACHABLE', hint: 'The bytes were damaged on the way.' },
  XAmzContentSHA256Mismatch: { code: 'STORE_UNREACHABLE', hint: 'The bytes were damaged on the way.' },
  NotImplemented: { code: 'STORE_FAILED', hint: NEEDS_CONDITION },
};

const DENIED: Meaning = {
  code: 'STORE_DENIED',
  hint: 'The credentials need s3:GetObject, s3:PutObject and s3:ListBucket: without the last, S3 hides what is absent.',
};
/** Whether a request was executed is not known: it may be repeated after the object was looked at. */
const UNDECIDED: Meaning = { code: 'STORE_UNREACHABLE', hint: 'The service is busy or has a fault; try again later.' };
const FULL: Meaning = { code: 'STORE_FULL', hint: 'The store has no space left.' };
const REDIRECTED: Meaning = { code: 'STORE_FAILED', hint: 'Check endpoint and region; redirects are never followed.' };
const FAILED: Meaning = { code: 'STORE_FAILED', hint: 'Check that the address is that of an S3 service.' };

/** What an answer means that is none of those that its caller expects. `what` names the action, its object and place. */
export function s3Error({ status, body, headers }: Answer, what: string, nowMs: number): CairnError {
  const text = Buffer.from(body.subarray(0, 4096)).toString('utf8');
  const code = xmlText(text, 'Code') ?? '';
  const known = Object.hasOwn(MEANINGS, code) ? MEANINGS[code] : undefined;
  const meaning = known ?? meaningOf(status);
  const said = [code, xmlText(text, 'Message') ?? ''].map(printable).filter((part) => part !== '');
  const skew = code === 'RequestTimeTooSkewed' ? skewText(headers['date'], nowMs) : '';
  return new CairnError(meaning.code, `cannot ${what}: ${[`HTTP ${status}`, ...said].join(', ')}${skew}`, {
    hint: meaning.hint,
  });
}

function meaningOf(status: number): Meaning {
  if (status === 507) return FULL;
  if (status === 409 || status === 429 || status === 408 || (status >= 500 && status !== 501)) return UNDECIDED;
  if (status === 501) return { code: 'STORE_FAILED', hint: NEEDS_CONDITION };
  if (status === 401 || status === 403) return DENIED;
  return status >= 300 && status < 400 ? REDIRECTED : FAILED;
}

function skewText(date: string | undefined, nowMs: number): string {
  const serverMs = Date.parse(date ?? '');
  if (Number.isNaN(serverMs)) return '';
  return ` (the clocks of this machine and of the store are ${Math.round(Math.abs(nowMs - serverMs) / 1000)} s apart)`;
}

/** Foreign text for a message: one line, of a bounded length, without control characters. */
function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 200);
}
