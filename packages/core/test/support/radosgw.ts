import { execFileSync, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { AwsV4Signer } from 'aws4fetch';

import { spawnBound } from '../../dist/testing/bound-child.js';
import { freePort } from '../../dist/testing/free-port.js';

/** Debian's packages with the programs that this needs. */
const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw', 'radosgw-admin', 'monmaptool'];
const START_MS = 90_000;

/**
 * A real S3 service: Ceph's gateway with one monitor, one manager and one store in memory, on loopback, with throw-away
 * credentials. Everything is in one directory, which is removed.
 */
export class Radosgw {
  readonly endpoint: string;
  readonly accessKeyId = randomBytes(10).toString('hex');
  readonly secretAccessKey = randomBytes(20).toString('hex');
  private readonly directory = mkdtempSync(join(tmpdir(), 'cairn-radosgw-'));
  private readonly processes: { readonly program: string; readonly child: ChildProcess }[] = [];
  private readonly ports: readonly number[];

  private constructor(ports: readonly number[]) {
    this.ports = ports;
    this.endpoint = `http://127.0.0.1:${ports[2]}`;
  }

  /** Rejects, saying what to install, when the programs are not there. */
  static async start(): Promise<Radosgw> {
    const absent = PROGRAMS.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
    if (absent.length > 0) {
      throw new Error(
        `the set-up failed: ${absent.join(', ')} not installed; run bash scripts/prepare.sh --tests as root`,
      );
    }
    const radosgw = new Radosgw([await freePort(), await freePort(), await freePort()]);
    try {
      await radosgw.run();
      return radosgw;
    } catch (error) {
      radosgw.stop();
      throw error;
    }
  }

  /** Environment variables with the credentials, as Amazon's tools take them. */
  get variables(): Readonly<Record<string, string>> {
    return {
      AWS_ACCESS_KEY_ID: this.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.secretAccessKey,
      AWS_ENDPOINT_URL_S3: this.endpoint,
    };
  }

  async makeBucket(name: string): Promise<void> {
    const signer = new AwsV4Signer({
      method: 'PUT',
      url: `${this.endpoint}/${name}`,
      accessKeyId: this.accessKeyId,
      secretAccessKey: this.secretAccessKey,
      service: 's3',
      region: 'us-east-1',
    });
    const { method, url, headers } = await signer.sign();
    const { status } = await fetch(url, { method, headers });
    if (status !== 200) throw new Error(`making the bucket ${name} gave ${status}`);
  }

  stop(): void {
    for (const { child } of this.processes.toReversed()) child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  private async run(): Promise<void> {
    const [v2, v1] = this.ports;
    const fsid = randomUUID();
    const monitors = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
    writeFileSync(this.path('ceph.conf'), this.configuration(fsid, monitors));
    for (const name of ['mon', 'mgr', 'osd', 'rgw', 'run']) mkdirSync(this.path(name));
    const conf = ['-c', this.path('ceph.conf')];
    this.once('monmaptool', ['--create', '--addv', 'a', monitors, '--fsid', fsid, this.path('monmap')]);
    this.once('ceph-mon', [...conf, '--mkfs', '-i', 'a', '--monmap', this.path('monmap')]);
    this.start('ceph-mon', [...conf, '-i', 'a']);
    this.start('ceph-mgr', [...conf, '-i', 'x']);
    this.once('ceph', [...conf, 'osd', 'new', fsid]);
    this.once('ceph-osd', [...conf, '-i', '0', '--mkfs', '--osd-uuid', fsid]);
    this.start('ceph-osd', [...conf, '-i', '0']);
    const user = [
      '--uid',
      'test',
      '--display-name',
      'test',
      '--access-key',
      this.accessKeyId,
      '--secret',
      this.secretAccessKey,
    ];
    this.once('radosgw-admin', [...conf, 'user', 'create', ...user]);
    this.start('radosgw', [...conf, '-n', 'client.rgw']);
    await this.answering();
  }

  private configuration(fsid: string, monitors: string): string {
    return `[global]
fsid = ${fsid}
mon host = ${monitors}
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = ${this.path('run')}
admin socket =
log file = ${this.path('$name.log')}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
mon allow pool size one = true
mon data = ${this.path('mon')}
mgr data = ${this.path('mgr')}
osd data = ${this.path('osd')}
osd objectstore = memstore
memstore device bytes = 4294967296
rgw data = ${this.path('rgw')}
rgw frontends = beast endpoint=127.0.0.1:${this.ports[2]}
`;
  }

  private once(program: string, args: readonly string[]): void {
    execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: START_MS });
  }

  private start(program: string, args: readonly string[]): void {
    const output = openSync(this.path(`${program}.out`), 'a');
    const child = spawnBound(program, [...args, '-f'], { stdio: ['ignore', output, output] });
    this.processes.push({ program, child });
  }

  private async answering(): Promise<void> {
    const end = Date.now() + START_MS;
    while (Date.now() < end) {
      const dead = this.processes.find(({ child }) => child.exitCode !== null)?.program;
      if (dead !== undefined) throw new Error(`${dead} ended: ${this.outputOf(dead)}`);
      const answer = await fetch(this.endpoint).catch(() => undefined);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`radosgw did not answer within ${START_MS / 1000} s`);
  }

  private outputOf(program: string): string {
    return readFileSync(this.path(`${program}.out`), 'utf8').slice(-2_000);
  }
}
