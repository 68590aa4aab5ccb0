import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));

/** A file of the bundle with those that it imports before its first line runs. */
function filesOf(file: string): Set<string> {
  const files = new Set<string>();
  packagesOf(file, files);
  return files;
}

/** Packages that a file of the bundle loads before its first line runs, by itself and through the files it imports. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const [, from = ''] of readFileSync(join(DIST, file), 'utf8').matchAll(
    /^(?:import|export) (?:[^'"]* from )?"([^"]+)";/gm,
  )) {
    if (from.startsWith('./')) for (const one of packagesOf(from.slice(2), seen)) packages.add(one);
    else if (!from.startsWith('node:')) packages.add(from);
  }
  return packages;
}

function chunk(verb: string): string[] {
  const files = readdirSync(DIST).filter((name) => new RegExp(`^${verb}-[\\w-]{8}\\.js$`).test(name));
  expect(files, verb).not.toEqual([]);
  return files;
}

describe('what a verb loads before it begins', () => {
  it.each(['list', 'ls', 'backup', 'restore', 'check', 'compact', 'delete', 'prune', 'mount'])(
    '%s: no package that it does not need',
    (verb) => {
      for (const file of chunk(verb)) {
        const packages = [...packagesOf(file)];
        // Each takes as long to load as all of ours; a verb that needs one imports it when it does.
        expect(
          packages.filter((name) => /^(zod|croner|nodemailer|openpgp|hono|qr|@hono|@photostructure)/.test(name)),
        ).toEqual([]);
      }
    },
  );

  it('the jobs’ own verbs do load what they read job files with', () => {
    expect(chunk('job-validate').flatMap((file) => [...packagesOf(file)])).toContain('zod');
  });

  it('threads load only what threads need', () => {
    for (const thread of ['read', 'backup', 'restore', 'check']) {
      const files = filesOf(`${thread}-worker.js`);
      const bytes = [...files].reduce((sum, file) => sum + statSync(join(DIST, file)).size, 0);
      // All that verbs share is three times as much, and each thread would compile it.
      expect([thread, bytes < 250_000, packagesOf(`${thread}-worker.js`).size]).toEqual([thread, true, 0]);
    }
  });
});
