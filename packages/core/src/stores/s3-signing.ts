import { AwsV4Signer } from 'aws4fetch';

import type { Clock } from '../ports/environment.ts';
import type { S3Credentials } from './s3-credentials.ts';

export interface S3Request {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body. The service compares it, and refuses bytes that were damaged on the way. */
  readonly bodyHash: string;
}

const NS_PER_MS = 1_000_000n;

/** The headers of a request, with those that sign it (Signature Version 4). */
export async function signedHeaders(
  { method, url, headers, bodyHash }: S3Request,
  credentials: S3Credentials,
  region: string,
  clock: Clock,
): Promise<Readonly<Record<string, string>>> {
  const time = new Date(Number(clock.nowNs() / NS_PER_MS)).toISOString();
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers: { ...headers, 'x-amz-content-sha256': bodyHash },
    ...credentials,
    service: 's3',
    region,
    datetime: time.replace(/[:-]|\.\d{3}/g, ''),
  });
  return Object.fromEntries((await signer.sign()).headers);
}
