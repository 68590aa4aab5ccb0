import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

const PASSPHRASE = 'correct horse battery staple';
const OTHER = 'quite another passphrase';

let place: Workplace;
let env: Record<string, string>;
let rootKey: string;
let source: string;

beforeAll(() => {
  place = new Workplace();
  rootKey = place.path('root.key');
  env = { CAIRN_REPOSITORY: place.path('repo') };
  source = place.path('source');
  place.file('source/plan.txt', 'secret plan');
  place.file('words', `${PASSPHRASE}\n`);
  place.file('other', `${OTHER}\r\n`);
  place.good(['init', '--key-file', rootKey, '--passphrase', '--new-passphrase-file', place.path('words')], { env });
  place.good(['backup', '--key-file', rootKey, source], { env });
});

afterAll(() => place.remove());

interface Slot {
  readonly slot: string;
  readonly kind: string;
  readonly rights: string;
}

describe('key files', () => {
  it('are for their owner only, and never written over', () => {
    expect(statSync(rootKey).mode & 0o777).toBe(0o600);
    const before = readFileSync(rootKey);
    const args = ['-r', place.path('second'), '--key-file', rootKey];
    expect(place.cairn(['init', ...args])).toMatchObject({ status: 41, stdout: '' });
    expect(readFileSync(rootKey)).toEqual(before);
    expect(place.cairn(['list', ...args]).status).toBe(10);
  });

  it('are warned about when others can read them', () => {
    const open = place.file('open.key', readFileSync(rootKey));
    chmodSync(open, 0o644);
    const { status, stderr } = place.cairn(['list', '--key-file', open], { env });
    expect(status).toBe(0);
    expect(stderr).toContain('warning: The key file');
  });

  it('show what they can do, and never the key', () => {
    const shown = place.good(['key', 'show', rootKey]);
    expect(shown).toMatch(/rights +root\n/);
    const secret = readFileSync(rootKey, 'utf8')
      .split('\n')
      .filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line));
    expect(secret.length).toBeGreaterThan(0);
    for (const line of secret) expect(shown).not.toContain(line);
  });

  it('with fewer rights can do no more than they say', () => {
    const write = place.path('write.key');
    place.good(['key', 'issue', '--rights', 'write', '--output', write, '--key-file', rootKey], { env });
    expect(place.json(['key', 'show', write])).toMatchObject({ rights: 'write', label: 'write key' });
    place.good(['backup', '--key-file', write, source], { env });
    const cat = place.cairn(['cat', '--key-file', write, 'latest', `${source}/plan.txt`], { env });
    expect(cat).toMatchObject({ status: 12, stdout: '' });
    const narrower = place.cairn(['key', 'issue', '--rights', 'read', '--output', '-', '--key-file', write], { env });
    expect(narrower).toMatchObject({ status: 12, stdout: '' });
    const read = place.good(['key', 'issue', '--rights', 'read', '--output', '-', '--key-file', rootKey], { env });
    const backup = ['backup', '--key-file', place.file('read.key', read), source];
    expect(place.cairn(backup, { env }).status).toBe(12);
    expect(place.good(['cat', '--key-file', place.path('read.key'), 'latest', `${source}/plan.txt`], { env })).toBe(
      'secret plan',
    );
  });

  it('of another repository are refused', () => {
    const stranger = place.path('stranger.key');
    place.good(['init', '-r', place.path('strange'), '--key-file', stranger]);
    expect(place.cairn(['list', '--key-file', stranger], { env })).toMatchObject({ status: 12, stdout: '' });
    const wrong = place.cairn(['list', '--key-file', rootKey, '--fingerprint', 'AAAA-AAAA-AAAA-AAAA'], { env });
    expect(wrong.status).toBe(12);
  });
});

describe('the recovery key', () => {
  it.each([
    ['the text', []],
    ['the paper form', ['--paper']],
  ])('comes back from %s', (_, form) => {
    const sheet = place.good(['key', 'export', '--key-file', rootKey, ...form], { env });
    expect(sheet).toContain(place.path('repo'));
    const file = place.path(`imported-${form.length}.key`);
    place.good(['key', 'import', '--output', file], { env, input: sheet });
    expect(place.good(['cat', '--key-file', file, 'latest', `${source}/plan.txt`], { env })).toBe('secret plan');
  });

  it('goes where cairn looks by itself', () => {
    const sheet = place.good(['key', 'export', '--key-file', rootKey], { env });
    place.good(['key', 'import', place.file('sheet.txt', sheet)], { env });
    expect(place.good(['cat', 'latest', `${source}/plan.txt`], { env })).toBe('secret plan');
    rmSync(place.path('home', '.config', 'cairn', 'keys'), { recursive: true });
  });

  it('is written to a file of its owner, as a page and as a picture', () => {
    const page = place.path('sheet.html');
    place.good(['key', 'export', '--html', '--output', page, '--key-file', rootKey], { env });
    expect(statSync(page).mode & 0o777).toBe(0o600);
    expect(readFileSync(page, 'utf8')).toContain('<svg');
    expect(place.good(['key', 'export', '--qr', '--key-file', rootKey], { env })).toMatch(/[█▀▄]{4}/);
    expect(place.cairn(['key', 'export', '--qr', '--paper', '--key-file', rootKey], { env }).status).toBe(2);
  });

  it('names the line of paper that is wrong', () => {
    const sheet = place.good(['key', 'export', '--paper', '--key-file', rootKey], { env });
    const typed = sheet.split('\n').filter((line) => /^ *\d+: /.test(line));
    const wrong = typed.map((line, i) =>
      i === 3 ? line.replace(/[0-9]$/, (d) => String((Number(d) + 1) % 10)).replace(/[a-f]$/, '0') : line,
    );
    const { status, stderr } = place.cairn(['key', 'import', '--output', place.path('x.key')], {
      env,
      input: wrong.join('\n'),
    });
    expect(status).toBe(20);
    expect(stderr).toContain('line 4');
  });

  it('of another repository is refused', () => {
    const sheet = place.good(['key', 'export', '--key-file', place.path('stranger.key')]);
    const { status, stderr } = place.cairn(['key', 'import', '--output', place.path('y.key')], { env, input: sheet });
    expect(status).toBe(12);
    expect(stderr).toContain('is not that of the repository');
  });
});

describe('passphrases', () => {
  const list = (args: readonly string[], more: object = {}) => place.cairn(['list', ...args], { env, ...more });

  it('come from a file, a command or a descriptor', () => {
    const words = place.path('words');
    expect(list(['--passphrase-file', words])).toMatchObject({ status: 0 });
    expect(list(['--passphrase-command', `cat ${words}`])).toMatchObject({ status: 0 });
    const withFd = { prefix: ['bash', '-c', `"$0" "$@" 3< <(cat ${words})`] };
    expect(list(['--passphrase-fd', '3'], withFd)).toMatchObject({ status: 0 });
    expect(list([], { env: { ...env, CAIRN_PASSPHRASE_FILE: words } })).toMatchObject({ status: 0 });
    expect(list([], { env: { ...env, CAIRN_PASSPHRASE_COMMAND: `cat ${words}` } })).toMatchObject({ status: 0 });
  });

  it.each([
    ['wrong', ['--passphrase-command', 'echo wrong'], 12, 'opens none of 1 key slots'],
    ['empty', ['--passphrase-command', 'true'], 2, 'is empty'],
    ['not to be had', ['--passphrase-command', 'echo oops; exit 4'], 2, 'exited with status 4'],
    ['in no file', ['--passphrase-file', '/nonesuch'], 2, 'cannot read the passphrase file /nonesuch: ENOENT'],
    [
      'from two places',
      ['--passphrase-file', 'a', '--passphrase-fd', '3'],
      2,
      '--passphrase-file and from --passphrase-fd',
    ],
    ['from a descriptor that is not open', ['--passphrase-fd', '77'], 2, 'descriptor 77'],
    ['asked for where nobody is', [], 12, 'no terminal to ask at'],
  ])('that are %s say so, and nothing of themselves', (_, args, status, message) => {
    const outcome = list(args);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr).not.toContain('oops');
    expect(outcome).toMatchObject({ status, stdout: '' });
  });

  it('are shown to nobody: not in arguments, not in the environment of programs that are started', () => {
    // What the command sees of the process that started it.
    const spy = `tr '\\0' '\\n' < /proc/$PPID/cmdline > ${place.path('cmdline')}; env > ${place.path('environ')}; cat ${place.path('words')}`;
    expect(list(['-v', '--passphrase-command', spy]).status).toBe(0);
    for (const name of ['cmdline', 'environ']) expect(readFileSync(place.path(name), 'utf8')).not.toContain(PASSPHRASE);
    for (const option of ['--passphrase', '--password']) expect(list([option, PASSPHRASE]).status).toBe(2);
  });

  it('are changed: the new one opens, the old one does not', () => {
    const from = ['--passphrase-file', place.path('words')];
    place.good(['key', 'passphrase', ...from, '--new-passphrase-file', place.path('other')], { env });
    expect(list(from).status).toBe(12);
    expect(list(['--passphrase-file', place.path('other')]).status).toBe(0);
    expect(place.json<Slot[]>(['key', 'slot', 'list'], { env })).toHaveLength(1);
    // As everywhere else: a time of this machine, whose zone is UTC here.
    expect(place.good(['key', 'slot', 'list'], { env })).toMatch(/passphrase +\w+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
  });
});

describe('key slots', () => {
  it('in the repository can have fewer rights, and are removed by another key', () => {
    const add = ['key', 'slot', 'add', '--rights', 'read', '--key-file', rootKey, '--label', 'reader'];
    const made = place.json<Slot>([...add, '--new-passphrase-command', 'echo reading'], { env });
    const reading = ['--passphrase-command', 'echo reading'];
    expect(place.json(['key', 'show', ...reading], { env })).toMatchObject({ rights: 'read', slot: made.slot });
    const own = place.cairn(['key', 'slot', 'remove', made.slot, ...reading], { env });
    expect(own.status).toBe(2);
    expect(own.stderr).toContain('is the one that opened the repository');
    place.good(['key', 'slot', 'remove', made.slot.slice(0, 6), '--key-file', rootKey], { env });
    expect(place.cairn(['list', ...reading], { env }).status).toBe(12);
  });

  it('can lie in a file of their own', () => {
    const file = place.path('own.slot');
    const add = ['key', 'slot', 'add', '--output', file, '--key-file', rootKey, '--generate-passphrase'];
    const { stderr } = place.cairn(add, { env });
    const generated = /: ([a-z2-7]{5}(-[a-z2-7]{5}){3})$/m.exec(stderr)?.[1] ?? '';
    const words = place.file('generated', generated);
    expect(place.good(['list', '--key-file', file, '--passphrase-file', words], { env })).toContain('archive');
    expect(place.cairn(['list', '--key-file', file], { env }).status).toBe(12);
    const change = ['key', 'passphrase', '--key-file', file, '--passphrase-file', words];
    place.good([...change, '--new-passphrase-command', 'echo mine'], { env });
    expect(place.cairn(['list', '--key-file', file, '--passphrase-command', 'echo mine'], { env }).status).toBe(0);
    expect(place.cairn(['list', '--key-file', file, '--passphrase-file', words], { env }).status).toBe(12);
  });

  it('for OpenPGP keys are opened by gpg alone', () => {
    const gpg = (args: readonly string[], input = ''): string => {
      const home = [
        '--homedir',
        place.path('gnupg'),
        '--batch',
        '--quiet',
        '--pinentry-mode',
        'loopback',
        '--passphrase',
        '',
      ];
      const { status, stdout, stderr } = spawnSync('gpg', [...home, ...args], { input, encoding: 'utf8' });
      if (status !== 0) throw new Error(stderr);
      return stdout;
    };
    spawnSync('mkdir', ['-m', '700', place.path('gnupg')]);
    gpg(['--quick-generate-key', 'ada@example.org', 'default', 'default', 'never']);
    const publicKey = place.file('ada.asc', gpg(['--armor', '--export', 'ada@example.org']));
    try {
      const made = place.json<Slot>(['key', 'slot', 'add', '--openpgp', publicKey, '--key-file', rootKey], { env });
      expect(made.kind).toBe('openpgp');
      const slot = JSON.parse(readFileSync(place.path('repo', 'keys', made.slot), 'utf8')) as { message: string };
      const text = gpg(['--decrypt'], slot.message);
      place.good(['key', 'import', '--output', place.path('from-gpg.key')], { env, input: text });
      expect(place.good(['list', '--key-file', place.path('from-gpg.key')], { env })).toContain('archive');
      expect(place.good(['key', 'slot', 'list'], { env })).toMatch(/openpgp +root .* for [0-9a-f]{40}/);
    } finally {
      spawnSync('gpgconf', ['--homedir', place.path('gnupg'), '--kill', 'all']);
    }
  });

  it('of a repository that this machine does not know need their fingerprint confirmed', () => {
    const elsewhere = { ...env, CAIRN_STATE_DIRECTORY: place.path('other-machine') };
    const open = ['list', '--passphrase-file', place.path('other')];
    const first = place.cairn(open, { env: elsewhere });
    expect(first).toMatchObject({ status: 12, stdout: '' });
    const fingerprint = place.good(['key', 'fingerprint', '--key-file', rootKey], { env }).trim();
    expect(first.stderr).toContain(`--fingerprint ${fingerprint}`);
    expect(place.cairn(['key', 'fingerprint'], { env: elsewhere }).stderr).toContain('no key proves it yet');
    expect(place.cairn([...open, '--fingerprint', fingerprint], { env: elsewhere }).status).toBe(0);
    expect(place.cairn(open, { env: elsewhere }).status).toBe(0);
    expect(readdirSync(place.path('other-machine'))).toHaveLength(1);
  });

  it('that are damaged are told, and do not keep others from opening', () => {
    place.file(`repo/keys/${'0'.repeat(32)}`, '{"cairn":1}');
    const { status, stderr } = place.cairn(['list', '--passphrase-file', place.path('other')], { env });
    expect(status).toBe(0);
    expect(stderr).toContain(`warning: key slot ${'0'.repeat(32)}`);
  });
});

describe('what this machine remembers', () => {
  it('shows a store that was set back', () => {
    const log = place.path('repo', 'log');
    const newest = readdirSync(log).sort().at(-1) ?? '';
    rmSync(`${log}/${newest}`);
    const { status, stderr } = place.cairn(['list', '--key-file', rootKey], { env });
    expect(status).toBe(22);
    expect(stderr).toContain('another history than this machine saw');
  });
});
