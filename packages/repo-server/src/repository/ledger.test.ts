import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';

import { Ledger } from './ledger.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-ledger-'));
const path = join(directory, 'ledger');
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => writeFileSync(path, '{"t":1,"base":1000}\n'));

const put = (number: number, bytes: number) => ({ t: number, client: 'web1', put: `packs/${number}`, bytes });

it.each(['{"t":2,"client":"web1","pu', '\0\0\0\0'])(
  'loses no line to %j, which a full disk or a power cut left of the one before',
  async (torn) => {
    appendFileSync(path, torn);
    const ledger = await Ledger.open(path, 2, async () => 0);
    await ledger.record(put(3, 10));
    await ledger.record(put(4, 20));
    expect(ledger).toMatchObject({ bytes: 1030, failures: 1 });
    expect(await Ledger.read(path)).toMatchObject({ bytes: 1030, failures: 1 });
    expect((await Ledger.read(path)).use('web1')).toMatchObject({ bytes: 30, objects: 2 });
  },
);

it('counts what another process writes meanwhile once', async () => {
  const [one, other] = [await Ledger.open(path, 2, async () => 0), await Ledger.open(path, 2, async () => 0)];
  await one.record(put(3, 10));
  await other.record(put(4, 20));
  await one.record(put(5, 40));
  await other.follow();
  for (const ledger of [one, other]) expect(ledger).toMatchObject({ bytes: 1070, failures: 0 });
  expect(readFileSync(path, 'utf8')).not.toContain('\n\n');
});
