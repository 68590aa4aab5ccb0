import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestCertificate {
  /** PEM of the certificate, of its key, and of the authority that signed it. */
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
  readonly files: { readonly certificate: string; readonly key: string; readonly ca: string };
}

/** A throw-away authority and a certificate for localhost and 127.0.0.1, made by openssl. */
export function makeCertificate(directory: string): TestCertificate {
  const at = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
  );
  openssl('req', '-new', ...newKey, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'];
  const output = ['-out', at('server.pem'), '-days', '2', '-extfile', at('names')];
  openssl('x509', '-req', '-in', at('server.csr'), ...signer, ...output);
  const files = { certificate: at('server.pem'), key: at('server.key'), ca: at('ca.pem') };
  const read = (path: string): string => readFileSync(path, 'utf8');
  return { certificate: read(files.certificate), key: read(files.key), ca: read(files.ca), files };
}

/** What stands below `[listen]` of a server's file so that it has the certificate. */
export function listenWith(
  { certificate, key }: Pick<TestCertificate['files'], 'certificate' | 'key'>,
  address = '127.0.0.1:0',
): string {
  return `address = "${address}"\ncertificate = "${certificate}"\nkey = "${key}"`;
}
