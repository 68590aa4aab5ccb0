import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;

beforeAll(() => {
  place = new Workplace();
});

afterAll(() => place.remove());

/** Exit status of a shell that reads the script without running it; undefined when there is no such shell here. */
function syntax(shell: string, script: string): number | null | undefined {
  const { status, error } = spawnSync(shell, ['-n', place.file(`script.${shell}`, script)]);
  return error === undefined ? status : undefined;
}

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('for %s is a script that this shell can read', (shell) => {
    const script = place.good(['completion', shell]);
    expect(script).toContain('exclude-if-present');
    expect([0, undefined]).toContain(syntax(shell, script));
  });

  it('offers commands, their options, and the values of options', () => {
    const script = place.file('completion.bash', place.good(['completion', 'bash']));
    place.file('here.key', '');
    const complete = (...words: readonly string[]): string[] => {
      const list = words.map((word) => `'${word}'`).join(' ');
      const code = `source ${script}; COMP_WORDS=(cairn ${list}); COMP_CWORD=${words.length}; _cairn; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = spawnSync('bash', ['-c', code], { encoding: 'utf8', cwd: place.directory });
      return stdout.trim().split('\n').sort();
    };
    expect(complete('')).toEqual(expect.arrayContaining(['backup', 'check', 'key', '--repository']));
    expect(complete('c')).toEqual(['cat', 'check', 'comment', 'compact', 'completion', 'config', 'copy']);
    expect(complete('key', 's')).toEqual(['show', 'slot']);
    expect(complete('key', 'slot', '')).toEqual(expect.arrayContaining(['add', 'list', 'remove']));
    expect(complete('-r', 'place', 'backup', '--ex')).toEqual([
      '--exclude',
      '--exclude-caches',
      '--exclude-from',
      '--exclude-if-present',
      '--exclude-larger-than',
      '--exclude-nodump',
    ]);
    expect(complete('key', 'issue', '--rights', '')).toEqual(['maintain', 'read', 'write']);
    expect(complete('list', '--key-file', 'he')).toEqual(['here.key']);
  });

  it('knows no other shell', () => {
    expect(place.cairn(['completion', 'tcsh'])).toMatchObject({ status: 2, stdout: '' });
  });
});
