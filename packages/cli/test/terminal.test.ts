import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { MAIN, Workplace } from './support/cairn.ts';

const PASSPHRASE = 'correct horse battery staple';
const ENTER = '\r';
const CTRL_C = '\u0003';
/** EL of ECMA-48, which ends each picture of the progress line. */
const ERASE = '\u001b[K';

interface Session {
  readonly status: number;
  readonly screen: string;
  readonly echo: boolean;
}

let place: Workplace;
let env: Record<string, string>;

/** Runs a command on a terminal, with a person who waits for texts and types. */
function person(
  args: readonly string[],
  steps: readonly (readonly [wait: string, keys: string])[],
  more = {},
): Session {
  const script = fileURLToPath(new URL('support/person.py', import.meta.url));
  const command = [script, JSON.stringify(steps), process.execPath, MAIN, ...args];
  const { stdout, stderr } = spawnSync('python3', command, {
    env: place.environment({ ...env, ...more }),
    encoding: 'utf8',
    cwd: place.directory,
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Session;
}

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  for (let i = 0; i < 30; i++) place.file(`source/${i}`, randomBytes(500_000).toString('base64'));
});

afterAll(() => place.remove());

describe('a person at a terminal', () => {
  it('chooses a passphrase by typing it twice; it does not show', () => {
    const { status, screen } = person(
      ['init', '--key-file', place.path('root.key'), '--passphrase'],
      [
        ['New passphrase', ENTER],
        ['It is empty', `${PASSPHRASE}${ENTER}`],
        ['again: ', `another${ENTER}`],
        ['They differ', `${PASSPHRASE}${ENTER}`],
        ['again: ', `${PASSPHRASE}${ENTER}`],
      ],
    );
    expect(screen).toContain('The repository is made.');
    expect(screen).not.toContain('battery');
    expect(status).toBe(0);
  });

  it('is asked for it, may mistype it, and corrects himself', () => {
    const { status, screen, echo } = person(
      ['list'],
      [
        ['Passphrase', `wrong${ENTER}`],
        ['try again', `\u0015${PASSPHRASE}xy\u007f\u007f${ENTER}`],
      ],
    );
    expect(screen).toContain('archive');
    expect(screen).not.toContain('battery');
    expect({ status, echo }).toEqual({ status: 0, echo: true });
  });

  it('may give up, and the terminal is as it was', () => {
    const { status, screen, echo } = person(['list'], [['Passphrase', `corr${CTRL_C}`]]);
    expect(screen).toContain('the question was not answered');
    expect({ status, echo }).toEqual({ status: 130, echo: true });
  });

  it('confirms the fingerprint of a repository that this machine does not know', () => {
    const more = { CAIRN_STATE_DIRECTORY: place.path('elsewhere') };
    const steps = [['Passphrase', `${PASSPHRASE}${ENTER}`]] as const;
    const no = person(['list'], [...steps, ['(yes/no)', `no${ENTER}`]], more);
    expect(no.screen).toContain('was not confirmed');
    expect(no.status).toBe(12);
    const yes = person(['list'], [...steps, ['(yes/no)', `yes${ENTER}`]], more);
    expect(yes.status).toBe(0);
    expect(existsSync(place.path('elsewhere'))).toBe(true);
  });

  it('types the lines of paper, and a wrong one is answered at once', () => {
    const sheet = place.good(['key', 'export', '--paper', '--key-file', place.path('root.key')], { env });
    const lines = sheet.split('\n').filter((line) => /^ *\d+: /.test(line));
    const [first = '', ...rest] = lines;
    const { status, screen } = person(
      ['key', 'import', '--output', place.path('typed.key')],
      [
        ['An empty line ends it', `${first.slice(0, -1)}${ENTER}`],
        ['type it again', `${[first, ...rest].join(ENTER)}${ENTER}`],
      ],
    );
    expect(screen).toContain('line 1: it is too short');
    expect(screen).toContain('The paper reads well.');
    expect(status).toBe(0);
  });

  it('sees how a backup goes on; a pipe and --no-progress do not', () => {
    const args = ['--key-file', place.path('root.key'), 'backup', '--compression', '19', place.path('source')];
    const watched = person(args, []);
    expect(watched.status).toBe(0);
    const drawn = watched.screen.split(ERASE);
    expect(drawn[0]).toMatch(/\r.*\d+ files? /);
    expect(drawn.at(-1)).toMatch(/^Archive /);
    expect(person([...args, '--no-progress', '--reread'], []).screen).not.toContain(ERASE);
    expect(place.cairn([...args, '--reread'], { env }).stderr).toBe('');
  });
});
