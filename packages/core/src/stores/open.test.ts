import { describe, expect, it } from 'vitest';

import { openStore } from './open.ts';

describe('the bound for connections by ssh', () => {
  it.each(['0', '17', '', '4.5', '-1', 'many', ' 4'])('is not %j', async (text) => {
    await expect(openStore('ssh://backup@example.org', { variables: { CAIRN_SSH_CONNECTIONS: text } })).rejects.toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('CAIRN_SSH_CONNECTIONS') }),
    );
  });

  it.each(['1', '16'])('may be %s', async (text) => {
    await using store = await openStore('ssh://backup@example.org', { variables: { CAIRN_SSH_CONNECTIONS: text } });
    expect(store.description).toBe('ssh://backup@example.org');
  });
});
