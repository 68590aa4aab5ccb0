import type { ByteString } from '../host/byte-path.ts';
import { decodeKeyword } from './member-head.ts';
import { decodePaxTime, type PaxRecord } from './pax.ts';
import type { Range } from './sparse-map.ts';
import { tarError } from './tar-error.ts';

/** What extended headers say about a member. */
export interface PaxFacts {
  path?: ByteString;
  linkPath?: ByteString;
  size?: number;
  uid?: number;
  gid?: number;
  user?: ByteString;
  group?: ByteString;
  mtimeNs?: bigint;
  ctimeNs?: bigint;
  /** By name, as the kernel names them. */
  readonly xattrs: Map<ByteString, Buffer>;
  /** ACLs in text form, by the name of their attribute. */
  readonly acls: Map<ByteString, string>;
  sparse?: SparseFacts;
}

export interface SparseFacts {
  /** `1.0`: the map stands before the data; `0.x`: it is in `ranges`. */
  inData: boolean;
  realSize?: number;
  readonly ranges: Range[];
}

type Reader = (facts: PaxFacts, value: Buffer, fail: (what: string) => never) => void;

const text = (value: Buffer): ByteString => value.toString('latin1');

function whole(value: Buffer, fail: (what: string) => never): number {
  const digits = text(value);
  const number = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  return Number.isSafeInteger(number) ? number : fail('a number in an extended header is out of range');
}

function time(value: Buffer, fail: (what: string) => never): bigint {
  return decodePaxTime(text(value)) ?? fail('a time in an extended header does not parse');
}

function sparse(facts: PaxFacts): SparseFacts {
  facts.sparse ??= { inData: false, ranges: [] };
  return facts.sparse;
}

/** An offset of format 0.0 waits for its length. */
const WAITS = -1;

const READERS: Readonly<Record<string, Reader>> = {
  path: (facts, value) => (facts.path ??= text(value)),
  linkpath: (facts, value) => (facts.linkPath = text(value)),
  size: (facts, value, fail) => (facts.size = whole(value, fail)),
  uid: (facts, value, fail) => (facts.uid = whole(value, fail)),
  gid: (facts, value, fail) => (facts.gid = whole(value, fail)),
  uname: (facts, value) => (facts.user = text(value)),
  gname: (facts, value) => (facts.group = text(value)),
  mtime: (facts, value, fail) => (facts.mtimeNs = time(value, fail)),
  ctime: (facts, value, fail) => (facts.ctimeNs = time(value, fail)),
  'GNU.sparse.name': (facts, value) => (facts.path = text(value)),
  'GNU.sparse.major': (facts, value) => (sparse(facts).inData = text(value) === '1'),
  'GNU.sparse.size': (facts, value, fail) => (sparse(facts).realSize = whole(value, fail)),
  'GNU.sparse.realsize': (facts, value, fail) => (sparse(facts).realSize = whole(value, fail)),
  'GNU.sparse.offset': (facts, value, fail) => sparse(facts).ranges.push([whole(value, fail), WAITS]),
  'GNU.sparse.numbytes': (facts, value, fail) => {
    const { ranges } = sparse(facts);
    const last = ranges.pop();
    if (last === undefined || last[1] !== WAITS) return fail('the map of a sparse file is not in order');
    ranges.push([last[0], whole(value, fail)]);
  },
  'GNU.sparse.map': (facts, value, fail) => {
    const numbers = text(value)
      .split(',')
      .map((part) => whole(Buffer.from(part), fail));
    for (let i = 0; i + 1 < numbers.length; i += 2) sparse(facts).ranges.push([numbers[i] ?? 0, numbers[i + 1] ?? 0]);
  },
  'SCHILY.acl.access': (facts, value) => facts.acls.set('system.posix_acl_access', value.toString()),
  'SCHILY.acl.default': (facts, value) => facts.acls.set('system.posix_acl_default', value.toString()),
  // The kernel counts the NUL at the end.
  'RHT.security.selinux': (facts, value) =>
    facts.xattrs.set('security.selinux', Buffer.concat([value, Buffer.alloc(1)])),
};

const XATTR = 'SCHILY.xattr.';

/** Adds what the records of one extended header say; unknown keywords say nothing. Rejects with `TAR_INVALID`. */
export function readPaxRecords(facts: PaxFacts, records: readonly PaxRecord[], offset: number): void {
  const fail = (what: string): never => {
    throw tarError(offset, what);
  };
  for (const [keyword, value] of records) {
    if (keyword.startsWith(XATTR)) facts.xattrs.set(decodeKeyword(keyword.slice(XATTR.length)), Buffer.from(value));
    else if (Object.hasOwn(READERS, keyword)) READERS[keyword]?.(facts, value, fail);
  }
  if (facts.sparse?.ranges.some(([, length]) => length === WAITS) === true)
    fail('the map of a sparse file is not in order');
}

export function newPaxFacts(): PaxFacts {
  return { xattrs: new Map(), acls: new Map() };
}
