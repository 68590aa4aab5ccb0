import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';

/** What signs requests. Never shown. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The credentials for an S3 service: those of the file that is named, else of `AWS_ACCESS_KEY_ID` and
 * `AWS_SECRET_ACCESS_KEY`, else of the file that Amazon's tools use (`AWS_SHARED_CREDENTIALS_FILE`, `~/.aws/credentials`); in
 * files the profile `AWS_PROFILE`, or `default`. Rejects with `USAGE` when there are none, or a file does not have them.
 */
export async function findS3Credentials(variables: Variables, file: string | undefined): Promise<S3Credentials> {
  const profile = variables['AWS_PROFILE'] || 'default';
  if (file !== undefined) return await readProfile(file, profile);
  const accessKeyId = variables['AWS_ACCESS_KEY_ID'] || undefined;
  const secretAccessKey = variables['AWS_SECRET_ACCESS_KEY'] || undefined;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return credentials(accessKeyId, secretAccessKey, variables['AWS_SESSION_TOKEN']);
  }
  const home = variables['HOME'];
  const usual = variables['AWS_SHARED_CREDENTIALS_FILE'] || (home && join(home, '.aws', 'credentials'));
  if (usual) return await readProfile(usual, profile);
  throw new CairnError('USAGE', 'there are no credentials for the S3 store', { hint: HINT });
}

const HINT = 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a credentials file.';

function credentials(accessKeyId: string, secretAccessKey: string, sessionToken: string | undefined): S3Credentials {
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

async function readProfile(file: string, profile: string): Promise<S3Credentials> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason = systemErrorCode(cause) ?? String(cause);
    throw new CairnError('USAGE', `there are no credentials for the S3 store: cannot read ${file}: ${reason}`, {
      hint: HINT,
      cause,
    });
  }
  const values = profileOf(text, profile);
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    return credentials(accessKeyId, secretAccessKey, values.get('aws_session_token'));
  }
  throw new CairnError('USAGE', `${file} has no aws_access_key_id and aws_secret_access_key in [${profile}]`, {
    hint: 'AWS_PROFILE names the section to use.',
  });
}

/** The values of one section; lines before the first section count for `default`. */
function profileOf(text: string, profile: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  let section = 'default';
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*(.*?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) section = header;
    const [, name, value] = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/i.exec(line) ?? [];
    if (section === profile && name !== undefined && value) values.set(name.toLowerCase(), value);
  }
  return values;
}
