import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export interface AdmissionOptions {
  /** The password that every request must bring (HTTP Basic, any user name); undefined: none. */
  readonly password?: string;
  /** Host names, without port, that a request may ask for. */
  readonly hosts: readonly string[];
}

/** Why a request is not answered. */
export interface Refused {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Who may look. Any program of this machine reaches a loopback address, also those of other users and every page in a browser:
 * so a password is asked for, and names of other hosts are refused (else a page could reach this through a name of its own).
 */
export class Admission {
  private readonly password: Buffer | undefined;
  private readonly hosts: ReadonlySet<string>;

  constructor({ password, hosts }: AdmissionOptions) {
    this.password = password === undefined ? undefined : digest(password);
    this.hosts = new Set(hosts);
  }

  /** Undefined for one that may be answered. */
  refuse(request: IncomingMessage): Refused | undefined {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '');
    if (!this.hosts.has(host)) return { status: 421, text: 'This server has another name.', headers: {} };
    if (this.password === undefined) return undefined;
    const given = /^Basic ([\w+/=-]+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const [, password = ''] = /^[^:]*:([^]*)$/.exec(Buffer.from(given, 'base64').toString()) ?? [];
    if (timingSafeEqual(digest(password), this.password)) return undefined;
    const headers = { 'WWW-Authenticate': 'Basic realm="cairn", charset="UTF-8"' };
    return { status: 401, text: 'A password is needed; `cairn browse` printed it.', headers };
  }
}

/** Of one length, so that comparing tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
