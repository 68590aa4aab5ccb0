import { chmodSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DumpPlace, type DumpInput } from './support/dump-place.ts';

let place: DumpPlace;
beforeEach(async () => void (place = await DumpPlace.create()));
afterEach(async () => await place.remove());

function sh(script: string, more: Readonly<Record<string, unknown>> = {}): DumpInput {
  return { kind: 'command', command: ['sh', '-c', script], ...more };
}

describe('a dump by a program', () => {
  it('has what it prints, and tells its warnings', async () => {
    const dumped = await place.dump(
      sh('seq 3; echo careful, token=geheim99 >&2', { name: 'numbers', 'file-name': 'all.txt' }),
    );
    expect(await place.paths(dumped)).toEqual(['/dumps/command/numbers/all.txt']);
    expect((await place.content(dumped, '/dumps/command/numbers/all.txt')).toString()).toBe('1\n2\n3\n');
    expect(place.warnings).toEqual(['careful, token=***']);
  });

  it('counts as cut off without its last words', async () => {
    const good = await place.dump(sh('seq 100000; echo "-- END"', { 'ends-with': '-- END' }));
    expect(good.report.problems).toEqual([]);
    const bad = place.dump(sh('echo "-- END"; seq 100000', { 'ends-with': '-- END' }));
    await expect(bad).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', message: expect.stringContaining('cut off') });
  });

  it('is ended with all that it started when it takes too long', async () => {
    const dump = place.dump(sh('echo $$; sleep 60 & sleep 60', { 'time-limit': '300ms' }));
    await expect(dump).rejects.toMatchObject({ message: expect.stringContaining('sh took longer than 0.3 s') });
  });

  it('may take longer to go back than it took to come', async () => {
    const restore = ['sh', '-c', `sleep 1; cat > ${place.path('back')}`];
    const dumped = await place.dump(sh('seq 3', { 'time-limit': '900ms', 'restore-command': restore }));
    await place.restoreAll(dumped, { overwrite: true });
    expect(readFileSync(place.path('back'), 'utf8')).toBe('1\n2\n3\n');
  });

  it('has none of the secrets of the environment', async () => {
    const dumped = await place.dump(
      sh('env'),
      place.context({ CAIRN_PASSPHRASE: 'geheim99', AWS_SECRET_ACCESS_KEY: 'x' }),
    );
    const names = (await place.content(dumped, '/dumps/command/command/output')).toString().match(/^\w+(?==)/gm) ?? [];
    expect(names.filter((name) => !['PATH', 'HOME', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name))).toEqual(
      [],
    );
  });

  it('runs as another user when root says so', async () => {
    const dump = place.dump(sh('id -un', { 'run-as': 'nobody' }));
    if (process.geteuid?.() !== 0) {
      await expect(dump).rejects.toMatchObject({ message: expect.stringContaining('runuser') });
      return;
    }
    expect((await place.content(await dump, '/dumps/command/command/output')).toString()).toBe('nobody\n');
  });
});

it('a file with a password that everybody can read is told', async () => {
  const file = place.file('client.cnf', '[client]\npassword=geheim99\n');
  const input: DumpInput = { kind: 'mysql', 'credentials-file': file, socket: place.path('no-server') };
  await expect(place.dump(input)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  expect(place.warnings).toEqual([]);
  chmodSync(file, 0o644);
  await expect(place.dump(input)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  expect(place.warnings).toEqual([expect.stringContaining(`chmod 600 ${file}`)]);
});
