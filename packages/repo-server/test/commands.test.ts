import { openHttpStore, openSshStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { scrubHosted } from '../src/commands/look.ts';
import { processSurroundings } from '../src/commands/surroundings.ts';
import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { makeCertificate } from './support/certificate.ts';
import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';
import { Sshd, SERVER_COMMAND } from './support/sshd.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function printed(...args: readonly string[]): string {
  const { status, stdout, stderr } = run(...args);
  if (status !== 0) throw new Error(`cairn-server ${args.join(' ')} exited with ${status}: ${stderr}`);
  return stdout.trim();
}

describe('cairn-server', () => {
  it('tells its version, and errors as JSON when that is wanted', () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as object;
    expect(manifest).toMatchObject({ version: printed('--version').replace('cairn-server ', '') });
    const { status, stdout, stderr } = run('usage', '--repo', 'main', '--config', '/nonesuch', '--json');
    expect([status, stdout, JSON.parse(stderr)]).toEqual([2, '', expect.objectContaining({ code: 'USAGE', exit: 2 })]);
  });

  it('gives a token once, keeps its hash, and shuts out who was revoked', async () => {
    const place = await ServerPlace.create();
    const config = ['--config', place.config];
    const token = printed('client', 'add', 'web1', '--repo', 'main', '--role', 'read', '--expires', '90d', ...config);
    expect(token).toMatch(/^cairn_[\w-]{43}$/);
    const stored = readFileSync(place.path('state', 'clients.json'), 'utf8');
    expect(stored).not.toContain(token);
    expect(stored).not.toContain(token.slice(6));
    expect(run('client', 'add', 'web1', '--repo', 'main', '--role', 'read', ...config)).toMatchObject({ status: 2 });
    expect(run('client', 'add', 'x', '--repo', 'other', '--role', 'read', ...config)).toMatchObject({ status: 2 });
    expect(run('client', 'add', 'x', '--repo', 'main', '--role', 'root', ...config)).toMatchObject({ status: 2 });
    const [client] = JSON.parse(printed('client', 'list', '--json', ...config)) as [Record<string, unknown>];
    expect(client).toMatchObject({ name: 'web1', role: 'read', credential: 'token', shut_out: null });

    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const server = await ServerProcess.start(place.config);
    const store = openHttpStore({ address: server.address, token });
    await store.get({ kind: 'log', name: logName(1) });
    printed('client', 'revoke', 'web1', ...config);
    const refusedNow = (): Promise<unknown> =>
      store.get({ kind: 'log', name: logName(1) }).then(
        () => 'served',
        (error: { code: string }) => error.code,
      );
    await expect.poll(refusedNow, { timeout: 5_000 }).toBe('STORE_DENIED');
    expect(printed('client', 'list', ...config)).toContain('it was revoked');
    await store[Symbol.asyncDispose]();
    await server.end('SIGTERM');
    await place[Symbol.asyncDispose]();
  });

  it('prints the line for authorized_keys, and it works as printed', async () => {
    // Nothing can be written to that file, as to one on a full disk.
    const place = await ServerPlace.create({ top: `command = "${SERVER_COMMAND}"\nlog-file = "/dev/full"` });
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const sshd = await Sshd.start();
    const config = ['--config', place.config];
    const publicKey = `${sshd.key('web1')}.pub`;
    const line = printed(
      'client',
      'add',
      'web1',
      '--repo',
      'main',
      '--role',
      'append',
      '--ssh-key',
      publicKey,
      '--from',
      '127.0.0.0/8',
      ...config,
    );
    const [, body = ''] = readFileSync(publicKey, 'utf8').split(' ');
    expect(line).toBe(
      `from="127.0.0.0/8",command="${SERVER_COMMAND} serve --stdio --repo main --role append --client web1 ` +
        `--config ${place.config}",restrict ssh-ed25519 ${body} web1`,
    );
    sshd.authorize(line);
    const store = openSshStore({ address: `${sshd.address}/ignored`, options: sshd.options('web1') });
    const { key, body: bytes } = forger.object('packs');
    await store.put(key, bytes);
    const { seq, object } = await forger.next('COMMIT');
    await store.put({ kind: 'log', name: logName(seq) }, object);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'STORE_DENIED' });

    // What the client asks sshd to run is ignored.
    const ssh = spawnSync(
      'ssh',
      [...sshd.options('web1'), '-p', String(sshd.port), '127.0.0.1', 'id; cat /etc/passwd'],
      {
        input: '',
        encoding: 'latin1',
      },
    );
    expect(ssh.stdout).not.toMatch(/uid=|root:/);

    printed('client', 'revoke', 'web1', ...config);
    // A connection that stays open is no way around.
    const stillServed = (): Promise<unknown> =>
      store.get({ kind: 'log', name: logName(1) }).then(
        () => 'served',
        (error: Error) => error.message,
      );
    await expect.poll(stillServed, { timeout: 5_000 }).toMatch(/web1 may not come in: it was revoked/);
    await store[Symbol.asyncDispose]();
    const revoked = openSshStore({ address: sshd.address, options: sshd.options('web1') });
    await expect(revoked.get({ kind: 'log', name: logName(1) })).rejects.toThrow(/ssh says: .*it was revoked/);
    await revoked[Symbol.asyncDispose]();
    const stranger = openSshStore({ address: sshd.address, options: sshd.options('stranger') });
    await expect(stranger.get({ kind: 'log', name: logName(1) })).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await stranger[Symbol.asyncDispose]();
    const unknown = openSshStore({
      address: sshd.address,
      options: ['-F', '/dev/null', '-i', sshd.key('web1'), '-o', 'UserKnownHostsFile=/dev/null'],
    });
    await expect(unknown.get({ kind: 'log', name: logName(1) })).rejects.toMatchObject({ code: 'STORE_UNTRUSTED' });
    await unknown[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it('audits the log, tells usage, and finds a flipped byte', async () => {
    const place = await ServerPlace.create();
    const config = ['--repo', 'main', '--config', place.config];
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const server = await place.start();
    const store = openHttpStore({ address: server.address, token: await place.token('web1', 'append') });
    const { key, body } = forger.object('packs');
    await store.put(key, body);
    const { seq, object } = await forger.next('COMMIT');
    await store.put({ kind: 'log', name: logName(seq) }, object);
    await store[Symbol.asyncDispose]();

    const lines = JSON.parse(printed('audit', '--json', ...config)) as Record<string, unknown>[];
    expect(lines.map(({ kind, client }) => [kind, client])).toEqual([
      ['COMMIT', null],
      ['CONDEMN', null],
      ['SWEEP', null],
      ['COMMIT', 'web1'],
    ]);
    expect(printed('audit', ...config).split('\n')).toHaveLength(4);
    const usage = JSON.parse(printed('usage', '--json', ...config)) as { clients: Record<string, unknown>[] };
    expect(usage.clients).toEqual([{ client: 'web1', bytes: 500, commits: 1, last_commit_ms: expect.any(Number) }]);
    expect(JSON.parse(printed('scrub', '--json', ...config))).toMatchObject({ objects: 5, bad: [] });
    const stopped = { ...processSurroundings(AbortSignal.abort()), print: () => undefined };
    await expect(scrubHosted({ repo: 'main', config: place.config }, stopped)).rejects.toMatchObject({
      code: 'CANCELLED',
    });
    const folder = join(place.repositoryPath, 'packs', key.name.slice(0, 2));
    expect(readdirSync(folder)).toContain(key.name);
    body[7] = (body[7] ?? 0) ^ 1;
    writeFileSync(join(folder, key.name), body);
    expect(run('scrub', ...config)).toMatchObject({ status: 20, stdout: expect.stringContaining(`packs/${key.name}`) });
    await place[Symbol.asyncDispose]();
  });

  it('takes an entry of a maintainer out of the way that no key opens, and none that clients pass over', async () => {
    const place = await ServerPlace.create();
    const config = ['--repo', 'main', '--config', place.config];
    const server = await ServerProcess.start(place.config);
    const { address } = server;
    const keys = await makeRepository(openHttpStore({ address, token: await place.token('admin', 'maintain') }));
    const directory = place.path('source');
    writeFiles(directory, 2, 50_000);
    const good = openHttpStore({ address, token: await place.token('good', 'append') });
    const { id } = await backUp(good, keys, directory);

    // Right in every byte that the server can see, and sealed under no key of the repository.
    const forger = await Forger.create(place.repositoryPath);
    const hostile = openHttpStore({ address, token: await place.token('hostile', 'append') });
    const passed = await forger.next('COMMIT');
    await hostile.put({ kind: 'log', name: logName(passed.seq) }, passed.object);
    const second = await backUp(good, keys, directory);
    const before = JSON.parse(printed('audit', '--json', ...config)) as unknown[];
    const insider = openHttpStore({ address, token: await place.token('insider', 'maintain') });
    const { seq, object } = await forger.next('CHECK');
    await insider.put({ kind: 'log', name: logName(seq) }, object);
    await expect(backUp(good, keys, directory)).rejects.toMatchObject({ code: 'CORRUPT' });
    await server.end('SIGTERM');

    const planned = printed('set-aside', '--from', String(seq), '--dry-run', ...config);
    expect(planned).toMatch(/^would set aside .* insider +CHECK/);
    expect(run('set-aside', '--from', String(seq + 1), ...config)).toMatchObject({ status: 2 });
    const refused = run('set-aside', '--from', String(passed.seq), ...config);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('pass it over') });
    printed('set-aside', '--from', String(seq), ...config);
    expect(JSON.parse(printed('audit', '--json', ...config))).toEqual(before);

    const again = await ServerProcess.start(place.config);
    const writer = openHttpStore({ address: again.address, token: await place.token('writer', 'append') });
    await backUp(writer, keys, directory);
    const reader = openHttpStore({ address: again.address, token: await place.token('reader', 'read') });
    for (const archive of [id, second.id]) {
      expect(await restoreDifferences(reader, keys, archive, directory, place.path('restored'))).toEqual([]);
    }
    for (const store of [good, hostile, insider, writer, reader]) await store[Symbol.asyncDispose]();
    await again.end('SIGTERM');
    await place[Symbol.asyncDispose]();
  });

  it('says why it cannot listen', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const busy = await ServerPlace.create({ listen: `address = "127.0.0.1:${port}"` });
    const place = await ServerPlace.create();
    const { files } = makeCertificate(place.directory);
    const tls = (certificate: string, key: string): string =>
      `address = "127.0.0.1:0"\ncertificate = "${certificate}"\nkey = "${key}"`;
    const [absent, other] = [
      await ServerPlace.create({ listen: tls('/nowhere/fullchain.pem', files.key) }),
      await ServerPlace.create({ listen: tls(files.certificate, files.certificate) }),
    ];
    for (const [where, message] of [
      [busy, /cannot listen at 127\.0\.0\.1:\d+: EADDRINUSE/],
      [absent, /cannot read \/nowhere\/fullchain\.pem: ENOENT/],
      [other, /server\.pem and .*server\.pem cannot be used for TLS/],
    ] as const) {
      const { status, stderr } = run('serve', '--config', where.config);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
      await where[Symbol.asyncDispose]();
    }
    taken.close();
    rmSync(place.repositoryPath, { recursive: true });
    const { status, stderr } = run('serve', '--config', place.config);
    expect(stderr).toContain('`cairn-server create --repo main`');
    expect(status).toBe(10);
    await place[Symbol.asyncDispose]();
  });

  it('says what is wrong with its file', () => {
    const place = execFileSync('mktemp', { encoding: 'utf8' }).trim();
    for (const [text, message] of [
      ['x = 1', /`x` is nothing that can be set/],
      ['[repositories.main]', /`path` in \[repositories.main\] must be an absolute path/],
      ['[listen]\naddress = "0.0.0.0:80"', /needs a `certificate`/],
      ['[repositories.main]\npath = "/x"\n[repositories.main.floors]\ngrace = "soon"', /must be a time/],
      ['[[', /does not parse/],
    ] as const) {
      writeFileSync(place, text);
      const { status, stderr } = run('serve', '--config', place);
      expect(stderr).toMatch(message);
      expect(status).toBe(2);
    }
  });
});
