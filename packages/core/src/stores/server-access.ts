import { readFile } from 'node:fs/promises';

import { CairnError, systemErrorCode } from '../errors.ts';

/** What a client of a repository server over HTTPS needs beside the address. */
export interface ServerAccess {
  readonly token: string;
  readonly ca?: string;
  readonly fingerprint?: string;
}

/**
 * The token of the file, or of `CAIRN_TOKEN`; authorities of the file that `CAIRN_CA_FILE` names; the fingerprint of the certificate
 * in `CAIRN_SERVER_FINGERPRINT`. Rejects with `USAGE` when there is no token, or a file cannot be read.
 */
export async function findServerAccess(
  variables: Readonly<Record<string, string | undefined>>,
  credentialsFile: string | undefined,
): Promise<ServerAccess> {
  const { CAIRN_TOKEN, CAIRN_CA_FILE, CAIRN_SERVER_FINGERPRINT } = variables;
  const token = credentialsFile === undefined ? CAIRN_TOKEN : (await readText(credentialsFile, 'the token')).trim();
  if (token === undefined || token === '') {
    throw new CairnError('USAGE', 'no token of the server is given', {
      hint: 'Name a file with it by --credentials-file (the target of a copy: --to-credentials-file); `cairn-server client add` makes one.',
    });
  }
  return {
    token,
    ...(CAIRN_CA_FILE === undefined ? {} : { ca: await readText(CAIRN_CA_FILE, 'the authorities') }),
    ...(CAIRN_SERVER_FINGERPRINT === undefined ? {} : { fingerprint: CAIRN_SERVER_FINGERPRINT }),
  };
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read ${what} in ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
}
