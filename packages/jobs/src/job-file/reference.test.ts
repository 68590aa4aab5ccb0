import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { jobFilePage, type Schema } from '../testing/reference-page.ts';
import { examineJob } from './read-job.ts';
import { jobFileSchema } from './schema.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/reference/job-file.md', import.meta.url));
const GUIDE = fileURLToPath(new URL('../../../../docs/guides/jobs.md', import.meta.url));
const SCHEMA = fileURLToPath(new URL('../../../../docs/reference/job.schema.json', import.meta.url));

/** What stands in a file, before it is read: times and sizes as texts. */
const schema = z.toJSONSchema(jobFileSchema, { io: 'input' }) as Schema;

async function formatted(text: string, file: string): Promise<string> {
  return await format(text, { ...(await resolveConfig(file)), filepath: file });
}

describe('the published schema and page (`npx vitest run packages/jobs/src/job-file/reference.test.ts -u` writes them)', () => {
  it('are what job files are read with', async () => {
    const json = { $id: 'https://cairn.example/job.schema.json', title: 'A job of Cairn', ...schema };
    await expect(await formatted(JSON.stringify(json), SCHEMA)).toMatchFileSnapshot(SCHEMA);
    await expect(await formatted(jobFilePage(schema), PAGE)).toMatchFileSnapshot(PAGE);
  });

  it('say of each key what it means', () => {
    const missing: string[] = [];
    const look = (name: string, { properties = {}, ...rest }: Schema): void => {
      for (const [key, one] of Object.entries(properties)) {
        if (one.description === undefined && one.const === undefined) missing.push(`${name}.${key}`);
        look(`${name}.${key}`, one);
      }
      for (const one of [
        ...(rest.anyOf ?? []),
        ...(rest.oneOf ?? []),
        ...(rest.items === undefined ? [] : [rest.items]),
      ]) {
        look(name, one);
      }
    };
    look('', schema);
    expect(missing).toEqual([]);
    expect(readFileSync(PAGE, 'utf8')).toContain('keep-daily');
  });
});

describe('the guide', () => {
  it('shows parts of job files that are good', () => {
    const parts = [...readFileSync(GUIDE, 'utf8').matchAll(/^```toml\n([^]*?)^```$/gm)].map(([, part = '']) => part);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts) {
      expect(
        examineJob(`[repository]\naddress = "/backup/repo"\n[backup]\nsources = ["/etc"]\n${part}`, 'nightly'),
      ).toMatchObject({
        job: { name: 'nightly' },
      });
    }
  });
});
