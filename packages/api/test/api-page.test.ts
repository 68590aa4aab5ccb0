import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

import { apiPage } from './support/api-page.ts';

it('docs/reference/api.md is what the tables say (`npx vitest run packages/api/test/api-page.test.ts -u` writes it)', async () => {
  const page = fileURLToPath(new URL('../../../docs/reference/api.md', import.meta.url));
  await expect(apiPage()).toMatchFileSnapshot(page);
});
