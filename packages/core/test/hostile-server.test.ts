import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { S3Store } from '../dist/stores/s3.js';
import { parseAddress } from '../dist/stores/address.js';
import { isCairnError, type Repository, systemEnvironment, type ErrorCode, type ObjectStore } from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch, SMALL_CHUNKS } from './support/scratch.js';
import { page, S3Server, type Asked, type Trick } from './support/s3-server.js';

/** What a client may take for itself while it is lied to, beyond what it had: an object of the greatest size, and room to work. */
const MEMORY_BYTES = 400 * 1024 * 1024;
const IDLE_MS = 500;
const FILES = 12;

let scratch: BackupScratch;
let server: S3Server;
let honest: ReadonlyMap<string, Buffer>;

beforeAll(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  server = new S3Server();
  await server.start();
  const config = readFileSync(join(scratch.storePath, 'config'));
  server.objects.set('repo/config', config);
  for (let i = 0; i < FILES; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, 40_000));
  for (const series of ['first', 'second', 'third']) {
    writeFileSync(scratch.in('changing'), pseudoRandomBytes(series, 30_000));
    const repository = await open();
    await repository.backup({ paths: [scratch.source], threads: 0, series });
    await repository.close();
  }
  honest = new Map(server.objects);
  cpSync(scratch.path('state'), scratch.path('state-before'), { recursive: true });
});
afterAll(() => {
  server.stop();
  scratch[Symbol.dispose]();
});
beforeEach(() => {
  server.trick = undefined;
  // A check writes what it found into the log, and this machine remembers that.
  rmSync(scratch.path('state'), { recursive: true });
  cpSync(scratch.path('state-before'), scratch.path('state'), { recursive: true });
  server.objects.clear();
  for (const [path, body] of honest) server.objects.set(path, body);
});

function openStore(): ObjectStore {
  const address = parseAddress(server.address);
  if (address.kind !== 's3') throw new Error('the server has an S3 address');
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
  return new S3Store({ address, credentials, environment: systemEnvironment, idleMs: IDLE_MS });
}

async function open(remember = true): Promise<Repository> {
  return await scratch.open({ store: openStore(), remember });
}

/** Does all that a client does with what it reads, and gives the code of what it rejected with. */
async function useAll(): Promise<ErrorCode | 'nothing'> {
  const before = process.memoryUsage().rss;
  try {
    const repository = await open();
    try {
      const target = scratch.path(`target-${Math.random()}`);
      const report = await repository.restore('third@latest', target, { privileged: true, threads: 0 });
      expectNothingWrong(`${target}${scratch.source}`, report.problems.length > 0);
      const check = await repository.check({ threads: 0, data: true });
      return check.findings.some(({ severity }) => severity === 'error') ? 'CORRUPT' : 'nothing';
    } finally {
      await repository.close();
    }
  } catch (error) {
    if (!isCairnError(error)) throw error;
    return error.code;
  } finally {
    expect(process.memoryUsage().rss - before).toBeLessThan(MEMORY_BYTES);
  }
}

/** Every file that was restored has its bytes; with no problem told, every file is there. */
function expectNothingWrong(restored: string, problemsTold: boolean): void {
  const names = existsSync(restored) ? readdirSync(restored) : [];
  for (const name of names) {
    expect(readFileSync(join(restored, name)).equals(readFileSync(scratch.in(name)))).toBe(true);
  }
  if (!problemsTold) expect(names).toHaveLength(FILES + 1);
}

const isPack = ({ method, path }: Asked): boolean => method === 'GET' && path.startsWith('repo/packs/');
const isLog = ({ method, path }: Asked): boolean => method === 'GET' && path.startsWith('repo/log/');
const isListing = ({ path }: Asked): boolean => path === '';

/** Answers such requests so. */
function when(which: (asked: Asked) => boolean, answer: (response: ServerResponse, asked: Asked) => void): Trick {
  return (asked, response) => {
    if (!which(asked)) return false;
    answer(response, asked);
    return true;
  };
}

function writeForEver(response: ServerResponse, bytes: number, everyMs: number): void {
  const timer = setInterval(() => response.write(Buffer.alloc(bytes)), everyMs);
  response.on('close', () => clearInterval(timer));
}

describe('an honest server', () => {
  it('is no trouble', async () => {
    expect(await useAll()).toBe('nothing');
  });
});

describe('a server that lies about history', () => {
  it('is caught when it goes back', async () => {
    expect(await useAll()).toBe('nothing');
    server.objects.delete(server.paths('log').at(-1) ?? '');
    expect(await useAll()).toBe('ROLLBACK_DETECTED');
    for (const path of server.paths('log')) server.objects.delete(path);
    expect(await useAll()).toBe('ROLLBACK_DETECTED');
  });

  it('is caught when it hides an entry in the middle', async () => {
    server.objects.delete(server.paths('log')[1] ?? '');
    expect(await useAll()).toBe('OBJECT_MISSING');
  });

  it('does not gain by leaving entries out of the listing only', async () => {
    const hidden = server.paths('log').at(-1);
    const listed = [...honest.keys()].filter((path) => path !== hidden && path.startsWith('repo/log/')).sort();
    server.trick = (asked, response) => {
      if (!isListing(asked) || asked.query.get('prefix') !== 'repo/log/') return false;
      response.end(page(listed, undefined, honest));
      return true;
    };
    expect(await useAll()).toBe('nothing');
  });

  it('is caught when it swaps entries', async () => {
    const [first = '', second = ''] = server.paths('log');
    server.objects.set(first, honest.get(second) ?? Buffer.alloc(0));
    server.objects.set(second, honest.get(first) ?? Buffer.alloc(0));
    expect(await useAll()).toBe('CORRUPT');
  });

  it('is caught when it gives the config of another repository', async () => {
    const other = await BackupScratch.create();
    server.objects.set('repo/config', readFileSync(join(other.storePath, 'config')));
    other[Symbol.dispose]();
    expect(await useAll()).toBe('WRONG_KEY');
  });

  it('cannot pass off a fork to one who saw the other', async () => {
    const repository = await open(false);
    const last = server.paths('log').at(-1) ?? '';
    await repository.close();
    server.objects.delete(last);
    const fork = await open(false);
    writeFileSync(scratch.in('changing'), pseudoRandomBytes('third', 30_000));
    await fork.backup({ paths: [scratch.source], threads: 0, series: 'third' });
    await fork.close();
    expect(await useAll()).toBe('ROLLBACK_DETECTED');
  });
});

describe('a server that lies about content', () => {
  it('never has wrong data restored when it swaps packs', async () => {
    const packs = server.paths('packs');
    packs.forEach((path, i) =>
      server.objects.set(path, honest.get(packs[(i + 1) % packs.length] ?? '') ?? Buffer.alloc(0)),
    );
    expect(await useAll()).toBe('CORRUPT');
  });

  it('never has wrong data restored when it alters a byte', async () => {
    for (const path of server.paths('packs')) {
      const altered = Buffer.from(honest.get(path) ?? '');
      const at = altered.length - 5_000;
      altered[at] = (altered[at] ?? 0) ^ 1;
      server.objects.set(path, altered);
    }
    expect(await useAll()).toBe('CORRUPT');
  });

  it('is found out when it throws packs away', async () => {
    for (const path of server.paths('packs').slice(0, 1)) server.objects.delete(path);
    expect(await useAll()).toBe('CORRUPT');
  });

  it.each([
    ['one byte more', (body: Buffer) => Buffer.concat([body, Buffer.alloc(1)])],
    ['one byte fewer', (body: Buffer) => body.subarray(1)],
    ['nothing', () => Buffer.alloc(0)],
  ])('is refused when a range has %s', async (_what, change) => {
    server.trick = (asked, response) => {
      const object = honest.get(asked.path);
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? '') ?? [];
      if (!isPack(asked) || object === undefined || first === undefined) return false;
      const part = change(object.subarray(Number(first), Number(last) + 1));
      const range = `bytes ${first}-${last}/${object.length}`;
      response.writeHead(206, { 'content-length': part.length, 'content-range': range }).end(part);
      return true;
    };
    expect(await useAll()).toBe('STORE_FAILED');
  });

  it('is refused when a range is another one, or all', async () => {
    server.trick = (asked, response) => {
      const object = honest.get(asked.path);
      if (!isPack(asked) || object === undefined) return false;
      response.writeHead(200, { 'content-length': object.length }).end(object);
      return true;
    };
    expect(await useAll()).toBe('STORE_FAILED');
    server.trick = (asked, response) => {
      const object = honest.get(asked.path);
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? '') ?? [];
      if (!isPack(asked) || object === undefined || first === undefined) return false;
      const part = object.subarray(0, Number(last) - Number(first) + 1);
      const range = `bytes 0-${part.length - 1}/${object.length}`;
      response.writeHead(206, { 'content-length': part.length, 'content-range': range }).end(part);
      return true;
    };
    expect(await useAll()).toBe('STORE_FAILED');
  });
});

describe('a server that wears its clients out', () => {
  it.each([
    ['bodies without end', 'STORE_FAILED', (response: ServerResponse) => writeForEver(response, 1_000_000, 1)],
    ['bodies that drip', 'STORE_UNREACHABLE', (response: ServerResponse) => writeForEver(response, 1, 20)],
    ['no answer', 'STORE_UNREACHABLE', () => undefined],
    [
      'a length that it does not keep',
      'STORE_UNREACHABLE',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 1_000 });
        response.write('x');
        setImmediate(() => response.destroy());
      },
    ],
    [
      'a length beyond all bounds',
      'STORE_FAILED',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 2 ** 40 });
        response.write('x');
      },
    ],
    [
      'a redirect',
      'STORE_FAILED',
      (response: ServerResponse) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    ],
    ['no content', 'STORE_FAILED', (response: ServerResponse) => void response.writeHead(204).end()],
    ['a fault', 'STORE_UNREACHABLE', (response: ServerResponse) => void response.writeHead(500).end('<Error>')],
    ['a teapot', 'STORE_FAILED', (response: ServerResponse) => void response.writeHead(418).end('short and stout')],
    ['a refusal', 'STORE_DENIED', (response: ServerResponse) => void response.writeHead(403).end()],
  ])('by %s: %s', async (_what, code, answer) => {
    server.trick = when(isLog, answer);
    expect(await useAll()).toBe(code);
  });
});

describe('a server that lists badly', () => {
  const logs = (): string[] => server.paths('log');

  it.each([
    ['twice', 'STORE_FAILED', () => page([...logs(), ...logs()], undefined, honest)],
    ['backwards', 'STORE_FAILED', () => page(logs().toReversed(), undefined, honest)],
    ['of elsewhere', 'STORE_FAILED', () => page(['other/log/0000000000000001'], undefined, honest)],
    ['in no form', 'STORE_FAILED', () => 'log/1, log/2'],
    ['cut off', 'STORE_FAILED', () => page(logs(), undefined, honest).slice(0, -30)],
    ['without an end', 'STORE_FAILED', () => page([], `${Math.random()}`, honest)],
    [
      'names that are none',
      'nothing',
      () => page([...logs(), 'repo/log/../../etc/passwd', 'repo/log/xyz'].sort(), undefined, honest),
    ],
    [
      'entries that do not exist',
      'OBJECT_MISSING',
      () => page([...logs(), 'repo/log/00000000000000ff'], undefined, honest),
    ],
  ])('%s: %s', async (_what, code, listing) => {
    server.trick = when(
      (asked) => isListing(asked) && asked.query.get('prefix') === 'repo/log/',
      (response) => void response.end(listing()),
    );
    expect(await useAll()).toBe(code);
  });
});

describe('a server that lies about what it stores', () => {
  it('is found out by a check', async () => {
    server.trick = when(
      ({ method, path }) => method === 'PUT' && path.startsWith('repo/packs/'),
      (response) => void response.end(),
    );
    writeFileSync(scratch.in('changing'), pseudoRandomBytes('lost', 30_000));
    const repository = await open(false);
    await repository.backup({ paths: [scratch.source], threads: 0, series: 'lost' });
    server.trick = undefined;
    const { findings } = await repository.check({ threads: 0 });
    expect(findings.map(({ code }) => code)).toContain('pack-missing');
    await repository.close();
    writeFileSync(scratch.in('changing'), pseudoRandomBytes('third', 30_000));
  });

  it('is refused when it overwrites', async () => {
    server.trick = ({ method, path }, response) => {
      if (method !== 'PUT' || !path.startsWith('repo/probe-')) return false;
      response.end();
      return true;
    };
    const repository = await open(false);
    const backup = repository.backup({ paths: [scratch.source], threads: 0, series: 'none', rereadAll: true });
    await expect(backup).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('cannot hold a repository'),
    });
    await repository.close();
  });
});
