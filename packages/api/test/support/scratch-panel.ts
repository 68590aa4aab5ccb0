import {
  createKeyFile,
  encodeKeyFileText,
  encodeRecoveryKey,
  nodeSuite,
  openStore,
  readMountTable,
  Repository,
  systemEnvironment,
  systemErrorCode,
  type Capabilities,
  type Environment,
} from '@cairn/core';
import { jsonLogger } from '@cairn/repo-server/serving';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { panelConfigOf, type PanelConfig } from '../../src/config/panel-file.ts';
import type { Route } from '../../src/http/route.ts';
import type { RightName, Role } from '../../src/rights/table.ts';
import { startPanel, type RunningPanel } from '../../src/server.ts';

/** The command as it is shipped. `npm run build` makes it. */
export const CAIRN = fileURLToPath(new URL('../../../cli/dist/main.js', import.meta.url));

export const PASSWORD = 'correct horse battery';

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when there is none. */
  readonly json: T;
}

export interface Asked {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Somebody who asks: what is sent with each request of theirs. */
export interface Caller {
  readonly headers: Readonly<Record<string, string>>;
}

/** Somebody with a browser, as a login made them. */
export interface Visitor extends Caller {
  readonly cookie: string;
}

export const NOBODY: Caller = { headers: {} };

interface ScratchOptions {
  /** Names of repositories to make; one, `main`, unless given. */
  readonly repositories?: readonly string[];
  /** More lines for panel.toml, before its tables. */
  readonly toml?: string;
}

/** A panel of its own: in a new directory, on a free port, with real repositories. */
export class ScratchPanel {
  readonly directory: string;
  readonly keys = new Map<string, Capabilities>();
  /** Lines of the panel's log. */
  readonly logged: string[] = [];
  private readonly toml: string;
  private aheadNs = 0n;
  private running: RunningPanel | undefined;

  private constructor(directory: string, toml: string) {
    this.directory = directory;
    this.toml = toml;
  }

  static async make({ repositories = ['main'], toml = '' }: ScratchOptions = {}): Promise<ScratchPanel> {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-api-')));
    const tables = repositories.map(
      (name) =>
        `[[repositories]]\nname = "${name}"\naddress = "${join(directory, name)}"\nkey-file = "${join(directory, `${name}.key`)}"\n`,
    );
    // Tests ask faster than people; doors.test.ts looks at the limit.
    const rate = toml.includes('requests-per-minute') ? '' : 'requests-per-minute = 1_000_000\n';
    const head = `${rate}listen = "127.0.0.1:0"\nstate-directory = "${join(directory, 'state')}"\njobs-directory = "${join(directory, 'jobs')}"\n`;
    const mounts = `[mounts]\ndirectory = "${join(directory, 'mounts')}"\n`;
    const panel = new ScratchPanel(directory, `${head}${toml}\n${tables.join('')}${mounts}`);
    for (const name of repositories) await panel.makeRepository(name);
    await panel.start();
    return panel;
  }

  get config(): PanelConfig {
    return panelConfigOf('panel.toml', this.toml);
  }

  /** The text of panel.toml. */
  get file(): string {
    return this.toml;
  }

  get panel(): RunningPanel {
    if (this.running === undefined) throw new Error('the panel does not run');
    return this.running;
  }

  /** Real time, and what was waited for. */
  readonly environment: Environment = {
    random: systemEnvironment.random,
    clock: {
      nowNs: () => systemEnvironment.clock.nowNs() + this.aheadNs,
      monotonicMs: () => systemEnvironment.clock.monotonicMs() + Number(this.aheadNs / 1_000_000n),
    },
  };

  /** Lets time pass. */
  wait(ms: number): void {
    this.aheadNs += BigInt(ms) * 1_000_000n;
  }

  async start(): Promise<void> {
    this.running = await startPanel(this.config, {
      environment: this.environment,
      logger: jsonLogger(systemEnvironment.clock, (line) => void this.logged.push(line)),
      cairnCommand: [process.execPath, CAIRN],
      variables: {},
      checkAnswer,
    });
  }

  async stop(): Promise<void> {
    await this.running?.close();
    this.running = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    for (const { directory } of readMountTable()) {
      if (directory.startsWith(`${this.directory}/`)) execFileSync('umount', ['-l', directory]);
    }
    // A run or a mount that a test left may still write its last words; Node's own retries do not look again what is there.
    for (let triesLeft = 100; triesLeft > 0; triesLeft -= 1) {
      try {
        rmSync(this.directory, { recursive: true, force: true });
        return;
      } catch (error) {
        if (systemErrorCode(error) !== 'ENOTEMPTY' || triesLeft === 1) throw error;
        await setTimeout(100);
      }
    }
  }

  /** Makes a repository with a new root key; the key file replaces one that is there. */
  async makeRepository(name: string): Promise<void> {
    const place = join(this.directory, name);
    const keyFile = join(this.directory, `${name}.key`);
    for (const old of [place, keyFile]) rmSync(old, { recursive: true, force: true });
    const store = await openStore(place, { create: true });
    const { repository, keys } = await Repository.create(store);
    await repository.close();
    const notes = { label: 'test', createdNs: systemEnvironment.clock.nowNs() };
    await createKeyFile(nodeSuite, keyFile, encodeKeyFileText(nodeSuite, keys, notes));
    this.keys.set(name, keys);
  }

  recoveryKey(name = 'main'): string {
    const keys = this.keys.get(name);
    if (keys === undefined) throw new Error(`no repository ${name}`);
    return encodeRecoveryKey(nodeSuite, keys);
  }

  async ask<T = Record<string, unknown>>(
    caller: Caller,
    method: string,
    path: string,
    { body, headers }: Asked = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.panel.address}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...caller.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: (isJson ? JSON.parse(text) : undefined) as T,
    };
  }

  /** As `ask`, for what must go well. */
  async good<T = Record<string, unknown>>(caller: Caller, method: string, path: string, asked?: Asked): Promise<T> {
    const { status, json, text } = await this.ask<T>(caller, method, path, asked);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
    return json;
  }

  /** Makes the first account with the setup link. */
  async setUp(name = 'admin'): Promise<Visitor> {
    const setup = this.panel.setup?.secret;
    return visitorOf(await this.ask(NOBODY, 'POST', '/api/v1/setup', { body: { setup, name, password: PASSWORD } }));
  }

  async login(name: string, password = PASSWORD): Promise<Visitor> {
    return visitorOf(await this.ask(NOBODY, 'POST', '/api/v1/session', { body: { name, password } }));
  }

  /** Proves all recovery keys saved. */
  async openGate(admin: Caller): Promise<void> {
    for (const name of this.keys.keys()) {
      const body = { recovery_key: this.recoveryKey(name) };
      await this.good(admin, 'POST', `/api/v1/repositories/${name}/recovery-key/saved`, { body });
    }
  }

  /** An account of a role, logged in. */
  async account(admin: Caller, role: Role, more: Readonly<Record<string, unknown>> = {}): Promise<Visitor> {
    const paths = role === 'restore-own-paths' ? { paths: ['/home/ada'] } : {};
    const name = `${role}-${Math.random().toString(36).slice(2, 8)}`;
    await this.good(admin, 'POST', '/api/v1/accounts', { body: { name, password: PASSWORD, role, ...paths, ...more } });
    return await this.login(name);
  }

  /** A token with these rights. */
  async token(
    visitor: Visitor,
    rights: readonly RightName[],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<Caller> {
    const body = { name: 'test', rights, ...more };
    const { token } = await this.good<{ token: string }>(visitor, 'POST', '/api/v1/tokens', { body });
    return { headers: { authorization: `Bearer ${token}` } };
  }
}

function visitorOf(answer: Answer): Visitor {
  if (answer.status >= 300) throw new Error(`no login: ${answer.status} ${answer.text}`);
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
  return { cookie, headers: { cookie, 'x-cairn-forgery': String(answer.json['forgery_token']) } };
}

/** Every answer of a test is what the document promises. */
function checkAnswer(route: Route, status: number, body: unknown): void {
  const row = route.responses[status];
  if (row?.schema === undefined) throw new Error(`${route.method} ${route.path} promises no ${status} with a body`);
  row.schema.parse(body);
}
