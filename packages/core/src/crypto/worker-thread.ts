import { workerData } from 'node:worker_threads';

import { threadPort } from '../flow/threads.ts';
import { portableArgon2id } from './portable-argon2.ts';
import type { Argon2Order } from './threaded-argon2.ts';

const { passphrase, salt, parameters, length } = workerData as Argon2Order;
const stretched = await portableArgon2id(passphrase, salt, parameters, length);
passphrase.fill(0);
threadPort().postMessage(stretched);
