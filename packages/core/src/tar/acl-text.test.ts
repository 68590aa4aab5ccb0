import { describe, expect, it } from 'vitest';

import { encodePosixAcl } from '../testing/posix-acl.ts';
import { aclFromText, aclToText } from './acl-text.ts';

const ACL = encodePosixAcl([
  { tag: 'userOwner', permissions: 6 },
  { tag: 'user', id: 54_321, permissions: 7 },
  { tag: 'groupOwner', permissions: 4 },
  { tag: 'group', id: 7, permissions: 5 },
  { tag: 'mask', permissions: 5 },
  { tag: 'other', permissions: 0 },
]);
/** acl(5), "ACL TEXT FORMS". */
const LONG = 'user::rw-\nuser:54321:rwx\ngroup::r--\ngroup:7:r-x\nmask::r-x\nother::---\n';
const lookup = {
  userId: (name: string) => (name === 'ada' ? 54_321 : undefined),
  groupId: (name: string) => (name === 'staff' ? 7 : undefined),
};

describe('an ACL as text', () => {
  it('is the long text form, with numbers', () => {
    expect(aclToText(ACL)).toBe(LONG);
  });

  it('is read in every form that tar programs write', () => {
    const forms = [
      LONG,
      'u::rw-,u:54321:rwx,g::r--,g:7:r-x,m::r-x,o::---',
      'user::rw-\nuser:ada:rwx\t#effective:r-x\ngroup::r--\ngroup:staff:r-x\nmask::r-x\nother::---\n',
      'user::rw-,user:somebody:rwx:54321,group::r--,group:others:r-x:7,mask::r-x,other::---',
      'other::---\nmask::r-x\ngroup:7:r-x\ngroup::r--\nuser:54321:rwx\nuser::rw-\n',
    ];
    for (const form of forms) expect(aclFromText(form, lookup)?.equals(ACL)).toBe(true);
  });

  it('is not read when it is none, or names somebody unknown', () => {
    for (const text of [
      '',
      'user',
      'user::rwxx',
      'nobody::r--',
      'user:eve:r--',
      'user::---:x:y,mask:5:r--',
      'user:4294967295:r--',
    ]) {
      expect(aclFromText(text, lookup), text).toBeUndefined();
    }
    for (const bytes of [[], [2, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0, 1], [2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]]) {
      expect(bytes.length === 4 && bytes[0] === 2 ? undefined : aclToText(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});
