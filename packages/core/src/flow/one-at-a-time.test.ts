import { expect, test } from 'vitest';

import { OneAtATime } from './one-at-a-time.ts';

test('the next begins when the one before is done, in the order given', async () => {
  const queue = new OneAtATime();
  const seen: string[] = [];
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const works = [
    queue.run(async () => {
      seen.push('first begins');
      await released;
      seen.push('first ends');
    }),
    queue.run(async () => void seen.push('second')),
    queue.run(async () => void seen.push('third')),
  ];
  await new Promise(setImmediate);
  expect(seen).toEqual(['first begins']);
  release();
  await Promise.all(works);
  expect(seen).toEqual(['first begins', 'first ends', 'second', 'third']);
});

test('who fails tells its own caller, and the next goes on', async () => {
  const queue = new OneAtATime();
  const failed = queue.run(async () => Promise.reject(new Error('no')));
  const next = queue.run(async () => 'done');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('done');
});
