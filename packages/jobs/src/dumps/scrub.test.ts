import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { scrubber, scrubberOf } from './scrub.ts';

describe('scrubbing', () => {
  it.each([
    [
      `ERROR at 3: CREATE USER a IDENTIFIED BY 'hunter2' REQUIRE SSL`,
      `ERROR at 3: CREATE USER a IDENTIFIED BY *** REQUIRE SSL`,
    ],
    ['connection to mongodb://root:hunter2@db/admin failed', 'connection to mongodb://***@db/admin failed'],
    ['using --password=hunter2 --user=x', 'using --password=*** --user=x'],
    ['"password": "hunter2", "user": "x"', '"password": ***, "user": "x"'],
    [`ALTER ROLE x WITH PASSWORD 'hunter2';`, `ALTER ROLE x WITH PASSWORD ***;`],
    ['(using password: YES)', '(using password: YES)'],
    ['Access denied for user root@localhost', 'Access denied for user root@localhost'],
  ])('hides the secret in %j', (text, clean) => {
    expect(scrubber()(text)).toBe(clean);
  });

  it.each([
    ['option file', '[client]\nuser = root\npassword = "hun ter2#"\n', 'hun ter2#'],
    ['password file', '# comment\nlocalhost:5432:*:root:hunter\\:2\n', 'hunter:2'],
    ['YAML', 'password: hunter2\n', 'hunter2'],
    ['YAML with a URI', 'uri: mongodb://x:hunter2@y\n', 'hunter2'],
  ])('knows what is secret in an %s', async (_, content, secret) => {
    const directory = mkdtempSync(join(tmpdir(), 'cairn-scrub-'));
    try {
      const path = join(directory, 'credentials');
      writeFileSync(path, content);
      const scrub = await scrubberOf(path);
      const shown = scrub(
        secret.startsWith('hunter2') && content.startsWith('uri') ? `mongodb://x:${secret}@y` : `bad: ${secret}`,
      );
      expect(shown).not.toContain(secret);
      expect(scrub('user root on localhost')).toBe('user root on localhost');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('says nothing of a file that is not there', async () => {
    expect((await scrubberOf('/nonexistent/file'))('text')).toBe('text');
  });
});
