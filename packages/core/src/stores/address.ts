import { fileURLToPath } from 'node:url';

import { CairnError } from '../errors.ts';

/** A bucket of an S3 service, and the part of it that is the store. */
export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
  /** Origin of the service, when it is not Amazon's own. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Whether the bucket stands in the path or in the name of the host. */
  readonly style?: 'path' | 'host';
}

/** A repository server, over HTTPS or over ssh. */
export interface ServerAddress {
  readonly kind: 'http' | 'ssh';
  /** The whole address, as it was given. */
  readonly address: string;
}

export type StoreAddress = { readonly kind: 'directory'; readonly path: string } | S3Address | ServerAddress;

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/** Amazon S3 User Guide, "Bucket naming rules"; some services also take capitals and underscores. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$/;

/** Characters that every S3 service takes in a key as they are (Amazon S3 User Guide, "Safe characters"), and the slash. */
const PREFIX = /^[A-Za-z0-9!_.*'()/-]*$/;

/** Forms of other programs, which would be taken for names of directories. */
const FOREIGN = /^(?:(?:s3|sftp|rest|rclone|b2|gs|azure|swift|local):|[^/:@]+@[^/:]+:)/;

/** True for `SCHEME://…`; anything else is a path. */
export function hasScheme(text: string): boolean {
  return SCHEME.test(text);
}

/** Takes an address apart. Rejects with `USAGE` when it is none that Cairn knows. Never shows what might be a password. */
export function parseAddress(text: string): StoreAddress {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      if (text === '') throw unknown('an empty address', 'Give a directory or an address.');
      if (FOREIGN.test(text))
        throw unknown(text, 'Write ssh://USER@HOST/NAME or s3://BUCKET/PREFIX; ./PATH is a directory.');
      return { kind: 'directory', path: text };
    case 'file':
      return { kind: 'directory', path: pathOf(text) };
    case 'http':
    case 'https':
    case 'ssh':
      return { kind: scheme === 'ssh' ? 'ssh' : 'http', address: whole(text) };
    case 's3':
      // The parser of URLs would take them away, and what is left is another place.
      if (/\/\.{1,2}(?:[/?#]|$)/.test(text)) throw unknown('an address with . or .. in its path', 'Write it without.');
      return parseS3(urlOf(text));
    default:
      throw unknown(
        `${scheme}://…`,
        'Cairn knows directories, file://, https://, ssh:// and s3://; see docs/reference/addresses.md.',
      );
  }
}

/** The address of a part of a store for itself, where the kind of store allows one: for tests. */
export function addressBelow(address: StoreAddress, name: string): StoreAddress {
  if (address.kind === 'directory') return { ...address, path: `${address.path}/${name}` };
  if (address.kind !== 's3') {
    throw unknown('a part of a repository server', 'Test the directory on the server itself.');
  }
  return { ...address, prefix: address.prefix === '' ? name : `${address.prefix}/${name}` };
}

/** The address itself, once it is known to hold no password. */
function whole(text: string): string {
  urlOf(text);
  return text;
}

function parseS3(url: URL): S3Address {
  const bucket = decodeURIComponent(url.hostname || url.host);
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  if (!BUCKET.test(bucket)) throw unknown(`the bucket ${JSON.stringify(bucket)}`, 'Write s3://BUCKET/PREFIX.');
  if (!PREFIX.test(prefix) || /(?:^|\/)\.{1,2}(?:\/|$)/.test(prefix)) {
    throw unknown(`the prefix ${JSON.stringify(prefix)}`, "A prefix has letters, digits and any of !_.*'()-/.");
  }
  const { endpoint, region, style, ...others } = Object.fromEntries(url.searchParams);
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw unknown(`${JSON.stringify(other)} in an address`, 'There are endpoint, region and style.');
  if (style !== undefined && style !== 'path' && style !== 'host')
    throw unknown(`the style ${style}`, 'It is path or host.');
  if (region !== undefined && !/^[A-Za-z0-9-]+$/.test(region))
    throw unknown('the region of an address', 'See your S3 service.');
  return {
    kind: 's3',
    bucket,
    prefix,
    ...(endpoint === undefined ? {} : { endpoint: originOf(endpoint) }),
    ...(region === undefined ? {} : { region }),
    ...(style === undefined ? {} : { style }),
  };
}

/** The origin of an S3 service: `https://HOST[:PORT]`. Rejects with `USAGE`. */
export function originOf(endpoint: string): string {
  const url = urlOf(hasScheme(endpoint) ? endpoint : `https://${endpoint}`);
  if ((url.protocol !== 'https:' && url.protocol !== 'http:') || url.pathname !== '/' || url.search !== '') {
    throw unknown('the endpoint', 'Write https://HOST or https://HOST:PORT.');
  }
  return url.origin;
}

function urlOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw unknown('the address', 'It must look like SCHEME://HOST/PATH.', cause);
  }
  if (url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:')) {
    throw new CairnError('USAGE', `an address of ${url.host} has a user name or password in it`, {
      hint: 'Other users of a machine can see addresses. Put credentials into the environment or a file.',
    });
  }
  return url;
}

function pathOf(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (cause) {
    throw unknown(text, 'A file address is file:///PATH, of this machine.', cause);
  }
}

function unknown(what: string, hint: string, cause?: unknown): CairnError {
  return new CairnError('USAGE', `${what} is not where a repository can be`, { hint, cause });
}
