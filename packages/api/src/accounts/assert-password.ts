import { CairnError } from '@cairn/core';

import type { Account } from './accounts.ts';
import type { Call } from '../http/route.ts';
import type { Services } from '../services.ts';

/**
 * Asks for the password of the account again: a screen that was left unlocked, or a stolen token, is not enough. Gives the account as
 * it is then. Rejects with `NOT_ALLOWED` when it is wrong, and with `TOO_MANY_REQUESTS`.
 */
export async function assertPassword(
  { principal, address }: Pick<Call, 'principal' | 'address'>,
  password: string,
  { accounts, lockOut }: Pick<Services, 'accounts' | 'lockOut'>,
): Promise<Account> {
  return await lockOut.attempt(address, principal.name, async () => {
    const account = await accounts.verified(principal.name, password);
    if (account !== undefined) return account;
    throw new CairnError('NOT_ALLOWED', 'the password is wrong', {
      hint: 'It is the password that you log in with.',
      details: { reason: 'password' },
    });
  });
}
