import {
  isCairnError,
  openHttpStore,
  openSshStore,
  Repository,
  restrict,
  type Capabilities,
  type ClientState,
  type ErrorCode,
  type ObjectStore,
} from '@cairn/core';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { backUp, writeFiles } from './support/backups.ts';
import { makeCertificate } from './support/certificate.ts';
import { Sshd } from './support/sshd.ts';
import { nameOf, refuse, send, sendRange, WireLiar, type Asked, type Trick } from './support/wire-liar.ts';

const BRIDGE = fileURLToPath(new URL('support/stdio-bridge.mjs', import.meta.url));
/** ssh and what it starts on the other side take their time. */
const SILENCE_MS = { https: 600, ssh: 5_000 } as const;
/** What a client may take for itself while it is lied to: an object of the greatest size, and room to work. */
const MEMORY_BYTES = 400 * 1024 * 1024;
const FILES = 4;

type Heads = Map<string, { readonly seq: number; readonly hash: string }>;

describe.each(['https', 'ssh'] as const)('a hostile server over %s', (carrier) => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-liar-'));
  const source = join(directory, 'source');
  const heads: Heads = new Map();
  let headsBefore: Heads;
  let sshd: Sshd | undefined;
  let server: WireLiar;
  let keys: Capabilities;
  let honest: ReadonlyMap<string, { body: Buffer; receivedMs: number }>;
  let openStore: () => ObjectStore;
  let newest: string;

  beforeAll(async () => {
    if (carrier === 'https') {
      const certificate = makeCertificate(directory);
      server = new WireLiar(certificate);
      await server.start();
      const address = `https://127.0.0.1:${server.port}`;
      openStore = () => openHttpStore({ address, token: 'any', ca: certificate.ca, silenceMs: SILENCE_MS.https });
    } else {
      server = new WireLiar();
      await server.start();
      const ssh = await Sshd.start();
      sshd = ssh;
      const key = readFileSync(`${ssh.key('client')}.pub`, 'utf8');
      ssh.authorize(`command="${process.execPath} ${BRIDGE} ${server.port}",restrict ${key}`);
      openStore = () =>
        openSshStore({ address: ssh.address, options: ssh.options('client'), silenceMs: SILENCE_MS.ssh });
    }
    const created = await Repository.create(openStore());
    ({ keys } = created);
    await created.repository.close();
    writeFiles(source, FILES, 150_000);
    for (const series of ['first', 'second', 'third']) {
      writeFileSync(join(source, 'changing'), randomBytes(30_000));
      const store = openStore();
      newest = (await backUp(store, keys, source, series)).id;
      await store[Symbol.asyncDispose]();
    }
    honest = new Map(server.objects);
    const repository = await open();
    await repository.close();
    headsBefore = new Map(heads);
  }, 60_000);
  afterAll(async () => {
    server.stop();
    await sshd?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    server.trick = undefined;
    server.objects.clear();
    for (const [label, stored] of honest) server.objects.set(label, stored);
    heads.clear();
    for (const [repository, head] of headsBefore) heads.set(repository, head);
  });

  async function open(): Promise<Repository> {
    const clientState: ClientState = {
      readHead: async (repository) => heads.get(repository),
      writeHead: async (repository, head) => void heads.set(repository, head),
    };
    return await Repository.open(openStore(), { keys: restrict(keys, 'read'), clientState });
  }

  /** Does all that a client does with what it reads, and gives the code of what it rejected with. */
  async function useAll(): Promise<ErrorCode | 'nothing'> {
    const before = process.memoryUsage().rss;
    try {
      const repository = await open();
      try {
        const target = join(directory, `target-${randomBytes(4).toString('hex')}`);
        const report = await repository.restore(newest, target, { threads: 0 });
        expectNothingWrong(`${target}${source}`, report.problems.length > 0);
        const check = await repository.check({ threads: 0, data: true, record: false });
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
      expect(readFileSync(join(restored, name)).equals(readFileSync(join(source, name)))).toBe(true);
    }
    if (!problemsTold) expect(names).toHaveLength(FILES + 1);
  }

  const isPack = ({ method, label }: Asked): boolean => method === 'GET' && label.startsWith('packs/');
  const isLog = ({ method, label }: Asked): boolean => method === 'GET' && label.startsWith('log/');
  const isLogListing = ({ label }: Asked): boolean => label === 'log';

  /** Answers such requests so. */
  function when(which: (asked: Asked) => boolean, answer: (stream: ServerHttp2Stream, asked: Asked) => void): Trick {
    return (asked, stream) => {
      if (!which(asked)) return false;
      answer(stream, asked);
      return true;
    };
  }

  function writeForEver(stream: ServerHttp2Stream, bytes: number, everyMs: number): void {
    stream.respond({ ':status': 200 });
    const timer = setInterval(() => stream.write(Buffer.alloc(bytes)), everyMs);
    stream.on('close', () => clearInterval(timer));
  }

  it('that is honest is no trouble', async () => {
    expect(await useAll()).toBe('nothing');
  });

  it('is caught when its log goes back, a little or wholly', async () => {
    server.objects.delete(server.labels('log').at(-1) ?? '');
    expect(await useAll()).toBe('ROLLBACK_DETECTED');
    for (const label of server.labels('log')) server.objects.delete(label);
    expect(await useAll()).toBe('ROLLBACK_DETECTED');
  });

  it('is caught when it withholds an entry in the middle', async () => {
    server.objects.delete(server.labels('log')[1] ?? '');
    expect(await useAll()).toBe('OBJECT_MISSING');
  });

  it('gains nothing by leaving the newest entry out of the listing alone', async () => {
    const listed = server.labels('log').slice(0, -1);
    server.trick = when(isLogListing, (stream) => send(stream, { ':status': 200 }, server.page(listed)));
    expect(await useAll()).toBe('nothing');
  });

  it('is caught when it exchanges entries, or gives the config of another repository', async () => {
    const [first = '', second = ''] = server.labels('log');
    const [one, two] = [server.body(first), server.body(second)];
    server.set(first, two);
    server.set(second, one);
    expect(await useAll()).toBe('CORRUPT');
    for (const [label, stored] of honest) server.objects.set(label, stored);
    const config = Buffer.from(server.body('config/config'));
    config[20] = (config[20] ?? 0) ^ 1;
    server.set('config/config', config);
    expect(['WRONG_KEY', 'CORRUPT']).toContain(await useAll());
  });

  it('cannot have wrong data restored by swapping packs, nor by altering, cutting or exchanging them under their names', async () => {
    const packs = server.labels('packs');
    expect(packs.length).toBeGreaterThan(2);
    for (const [at, label] of packs.entries())
      server.set(label, honest.get(packs[(at + 1) % packs.length] ?? '')?.body ?? Buffer.alloc(0));
    expect(await useAll()).toBe('CORRUPT');
    for (const change of [
      (body: Buffer) => body.map((byte, at) => (at === body.length >> 1 ? byte ^ 1 : byte)),
      (body: Buffer) => body.subarray(0, body.length - 100),
      (body: Buffer) => Buffer.alloc(body.length),
    ]) {
      for (const label of packs) server.set(label, Buffer.from(change(Buffer.from(honest.get(label)?.body ?? ''))));
      expect(await useAll()).toBe('CORRUPT');
    }
  });

  it('cannot have anything restored that it made itself', async () => {
    const body = randomBytes(5_000);
    server.set(`packs/${nameOf(body)}`, body);
    server.set(`index/${nameOf(body)}`, body);
    // Its own objects are told as damaged; what was backed up is whole.
    const repository = await open().catch((error: unknown) => error);
    if (!(repository instanceof Repository)) {
      expect(repository).toMatchObject({ code: 'CORRUPT' });
      return;
    }
    const target = join(directory, 'made');
    const outcome = await repository.restore(newest, target, { threads: 0 }).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'CORRUPT' });
    else expectNothingWrong(`${target}${source}`, false);
    await repository.close();
  });

  it('is found out when it throws packs away', async () => {
    server.objects.delete(server.labels('packs')[0] ?? '');
    expect(await useAll()).toBe('CORRUPT');
  });

  it.each([
    ['one byte more', (part: Buffer) => Buffer.concat([part, Buffer.alloc(1)]), 0],
    ['one byte fewer', (part: Buffer) => part.subarray(1), 0],
    ['nothing', () => Buffer.alloc(0), 0],
    ['another place', (part: Buffer) => part, 1],
  ])('is refused when a range has %s', async (_what, change, shift) => {
    server.trick = (asked, stream) => {
      const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? '') ?? [];
      if (!isPack(asked) || first === undefined) return false;
      const body = server.body(asked.label);
      sendRange(stream, change(body.subarray(Number(first), Number(last) + 1)), Number(first) + shift, body.length);
      return true;
    };
    expect(['STORE_FAILED', 'LIMIT_EXCEEDED']).toContain(await useAll());
  });

  it('is refused when it gives the whole object in the place of a range', async () => {
    server.trick = (asked, stream) => {
      if (!isPack(asked)) return false;
      const body = server.body(asked.label);
      send(stream, { ':status': 200, 'content-length': body.length }, body);
      return true;
    };
    expect(['STORE_FAILED', 'LIMIT_EXCEEDED']).toContain(await useAll());
  });

  it.each([
    ['bodies without end', 'LIMIT_EXCEEDED', (stream: ServerHttp2Stream) => writeForEver(stream, 1_000_000, 1)],
    ['bodies that drip', 'STORE_UNREACHABLE', (stream: ServerHttp2Stream) => writeForEver(stream, 1, 20)],
    ['no answer', 'STORE_UNREACHABLE', () => undefined],
    [
      'a length that it does not keep',
      'STORE_UNREACHABLE',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-length': 1_000 });
        stream.write('x');
        setImmediate(() => stream.close());
      },
    ],
    [
      'a length beyond all bounds',
      'LIMIT_EXCEEDED',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-length': 2 ** 40 });
        stream.write('x');
      },
    ],
    ['a redirect', 'STORE_FAILED', (stream: ServerHttp2Stream) => send(stream, { ':status': 302, location: '/x' })],
    ['a fault', 'STORE_FAILED', (stream: ServerHttp2Stream) => refuse(stream, 500, 'STORE_FAILED')],
    ['a code that is none', 'STORE_FAILED', (stream: ServerHttp2Stream) => refuse(stream, 418, 'ROLLBACK_DETECTED')],
    ['a refusal', 'STORE_DENIED', (stream: ServerHttp2Stream) => refuse(stream, 403, 'STORE_DENIED')],
    [
      'an error without end',
      'LIMIT_EXCEEDED',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 403, 'cairn-error': 'STORE_DENIED' });
        const timer = setInterval(() => stream.write(Buffer.alloc(100_000)), 1);
        stream.on('close', () => clearInterval(timer));
      },
    ],
    ['an end of the connection', 'STORE_UNREACHABLE', (stream: ServerHttp2Stream) => stream.session?.destroy()],
  ])('that wears clients out by %s is left: %s', async (_what, code, answer) => {
    server.trick = when(isLog, answer);
    expect(await useAll()).toBe(code);
  });

  it.each([
    ['twice', 'STORE_FAILED', () => server.page([...server.labels('log'), ...server.labels('log')])],
    ['backwards', 'STORE_FAILED', () => server.page(server.labels('log').toReversed())],
    ['in no form', 'STORE_FAILED', () => 'log/1, log/2\nend\n'],
    ['cut off', 'STORE_FAILED', () => server.page(server.labels('log')).slice(0, -6)],
    ['for ever', 'STORE_FAILED', () => 'more\n'],
    ['names that are paths', 'STORE_FAILED', () => '../../etc/passwd 1 1\nend\n'],
    [
      'entries that do not exist',
      'OBJECT_MISSING',
      () => server.page([...server.labels('log'), 'log/00000000000000ff']),
    ],
  ])('that lists %s is told of: %s', async (_what, code, listing) => {
    server.trick = when(isLogListing, (stream) => send(stream, { ':status': 200 }, listing()));
    expect(await useAll()).toBe(code);
  });

  it('that says yes and stores nothing is found out by a check', async () => {
    server.trick = when(
      ({ method, label }) => method === 'PUT' && label.startsWith('packs/'),
      (stream) => {
        stream.resume();
        stream.once('end', () => send(stream, { ':status': 201 }));
      },
    );
    writeFileSync(join(source, 'changing'), randomBytes(30_000));
    const store = openStore();
    await backUp(store, keys, source, 'lost');
    server.trick = undefined;
    const repository = await Repository.open(store, { keys: restrict(keys, 'read') });
    const { findings } = await repository.check({ threads: 0, record: false });
    expect(findings.map(({ code }) => code)).toContain('pack-missing');
    await repository.close();
  });
});
