import { CairnError, systemErrorCode } from '@cairn/core/server';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

import type { Logger } from '../operate/logger.ts';

/** Milliseconds between two looks whether the certificate was renewed. */
const LOOK_MS = 60_000;

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** What they hold, as Node calls it. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Rejects with `USAGE` when the files cannot be read, or hold no certificate with its key. */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const certificate = { cert: await readText(files.certificate), key: await readText(files.key) };
  try {
    createSecureContext(certificate);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CairnError('USAGE', `${files.certificate} and ${files.key} cannot be used for TLS: ${reason}`, {
      hint: 'They must be PEM: a certificate with those that lead to its authority, and its own key without a passphrase.',
      cause,
    });
  }
  return certificate;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'The user that the server runs as must be able to read its certificate and key.',
      cause,
    });
  }
}

/**
 * Hands over the certificate whenever it is another than before: one that is renewed every few weeks must not need a restart. What
 * cannot be read or used is told, and tried again; meanwhile the one before goes on. Gives what ends the watching.
 */
export function watchCertificate(
  files: CertificateFiles,
  before: Certificate,
  use: (certificate: Certificate) => void,
  logger: Logger,
  lookMs = LOOK_MS,
): () => void {
  let known = before;
  const look = async (): Promise<void> => {
    try {
      const found = await readCertificate(files);
      if (found.cert === known.cert && found.key === known.key) return;
      use(found);
      known = found;
      logger.info('the certificate was renewed', { certificate: files.certificate });
    } catch (error) {
      logger.error('the renewed certificate cannot be used', { certificate: files.certificate, error: String(error) });
    }
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  return () => clearInterval(timer);
}
