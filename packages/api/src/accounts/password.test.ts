import { systemEnvironment } from '@cairn/core';
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { checkPassword, hashPassword } from './password.ts';

const PASSWORD = 'correct horse battery é';

/** What python3-argon2, the binding of the reference implementation, says. The password goes by standard input. */
function reference(program: string, ...args: readonly string[]): string {
  return execFileSync('/usr/bin/python3', ['-c', program, ...args], { input: PASSWORD, encoding: 'utf8' }).trim();
}

describe('hashes of passwords', () => {
  it('are verified by the reference implementation', async () => {
    const hash = await hashPassword(systemEnvironment.random, PASSWORD);
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const verify = 'import sys, argon2; print(argon2.PasswordHasher().verify(sys.argv[1], sys.stdin.read()))';
    expect(reference(verify, hash)).toBe('True');
    expect(await hashPassword(systemEnvironment.random, PASSWORD)).not.toBe(hash);
  });

  it('are made while everything else goes on', async () => {
    const hash = await hashPassword(systemEnvironment.random, PASSWORD);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    expect(await checkPassword(hash, PASSWORD)).toBe(true);
    clearInterval(timer);
    // It takes 20 ms and more; a call that keeps the thread leaves a turn or two at its ends.
    expect(turns).toBeGreaterThan(5);
  });

  it('of the reference implementation are verified, whatever its parameters', async () => {
    const make =
      'import sys, argon2; print(argon2.PasswordHasher(time_cost=3, memory_cost=8192, parallelism=4).hash(sys.stdin.read()))';
    const hash = reference(make);
    expect(await checkPassword(hash, PASSWORD)).toBe(true);
    // The same letters, put together otherwise.
    expect(await checkPassword(hash, PASSWORD.normalize('NFD'))).toBe(true);
    for (const wrong of ['', `${PASSWORD} `, PASSWORD.toUpperCase()])
      expect(await checkPassword(hash, wrong)).toBe(false);
  });

  it('that are none, or ask for too much, let nobody in', async () => {
    const zeros = 'A'.repeat(43);
    for (const hash of [
      undefined,
      '',
      PASSWORD,
      '$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$x',
      `$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$${zeros}`,
    ]) {
      expect(await checkPassword(hash, PASSWORD)).toBe(false);
    }
  });
});
