import { describe, expect, it } from 'vitest';

import { CACHEDIR_TAG_SIGNATURE, isCacheDirTag } from './tags.ts';

describe('isCacheDirTag', () => {
  it.each([
    [CACHEDIR_TAG_SIGNATURE, true],
    [`${CACHEDIR_TAG_SIGNATURE}\n# This file is a cache directory tag.\n`, true],
    [CACHEDIR_TAG_SIGNATURE.slice(0, -1), false],
    [` ${CACHEDIR_TAG_SIGNATURE}`, false],
    [CACHEDIR_TAG_SIGNATURE.toUpperCase(), false],
    ['', false],
  ])('%j: %s', (content, expected) => {
    expect(isCacheDirTag(new TextEncoder().encode(content))).toBe(expected);
  });

  it('expects the MD5 sum that the specification names', () => {
    expect(CACHEDIR_TAG_SIGNATURE).toMatch(/^Signature: [0-9a-f]{32}$/);
    expect(CACHEDIR_TAG_SIGNATURE).toHaveLength(43);
  });
});
