import { DirectoryStore, systemEnvironment } from '@cairn/core';
import type { Clock } from '@cairn/core/server';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { plainClient, type Client } from '../../dist/clients/client.js';
import { Registry, type Credential } from '../../dist/clients/registry.js';
import { hashOfToken, makeToken } from '../../dist/clients/tokens.js';
import { jsonLogger } from '../../dist/operate/logger.js';
import type { Role } from '../../dist/roles.js';
import { startServer, type RunningServer, type ServerTimes } from '../../dist/server.js';
import { settingsOf, type ServerSettings } from '../../dist/settings.js';

/** A clock that tests set forward and back; it goes on by itself in between. */
export class TestClock implements Clock {
  offsetMs = 0;

  nowNs(): bigint {
    return systemEnvironment.clock.nowNs() + BigInt(Math.round(this.offsetMs)) * 1_000_000n;
  }

  monotonicMs(): number {
    return systemEnvironment.clock.monotonicMs();
  }

  get nowMs(): number {
    return Number(this.nowNs() / 1_000_000n);
  }
}

export interface PlaceOptions {
  /** Lines of TOML for [repositories.main]. */
  readonly repository?: string;
  readonly floors?: string;
  /** Lines of TOML before everything. */
  readonly top?: string;
  /** Lines of TOML for [listen]. */
  readonly listen?: string;
  /** Directory of the repository; made when it is not given. */
  readonly path?: string;
  /** Directory for what the server keeps for itself. */
  readonly state?: string;
}

/** A directory with a server's file, state, and one empty repository named main. */
export class ServerPlace {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-server-')));
  readonly clock = new TestClock();
  readonly settings: ServerSettings;
  readonly log: string[] = [];
  private readonly running: RunningServer[] = [];

  private constructor(options: PlaceOptions) {
    const text = [
      `state = "${options.state ?? this.path('state')}"`,
      options.top ?? '',
      '[listen]',
      options.listen ?? 'address = "127.0.0.1:0"',
      '[repositories.main]',
      `path = "${options.path ?? this.path('main')}"`,
      options.repository ?? 'reserve = "1 MB"',
      '[repositories.main.floors]',
      options.floors ?? '',
    ].join('\n');
    writeFileSync(this.config, text);
    this.settings = settingsOf(this.config, text);
  }

  static async create(options: PlaceOptions = {}): Promise<ServerPlace> {
    const place = new ServerPlace(options);
    await DirectoryStore.create(place.repositoryPath);
    return place;
  }

  get config(): string {
    return this.path('server.toml');
  }

  get repositoryPath(): string {
    return this.settings.repositories.get('main')?.path ?? '';
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Starts a server in this process; it ends with the place. */
  async start(how: ServerTimes = {}): Promise<RunningServer> {
    const logger = jsonLogger(this.clock, (line) => this.log.push(line));
    const server = await startServer(this.settings, this.clock, logger, how);
    this.running.push(server);
    return server;
  }

  /** Registers a client, and gives its token. */
  async token(name: string, role: Role, more: Partial<Client> = {}): Promise<string> {
    const token = makeToken(systemEnvironment.random);
    await this.register({ ...plainClient(name, 'main', role), ...more }, { kind: 'token', sha256: hashOfToken(token) });
    return token;
  }

  async register(client: Client, credential: Credential): Promise<void> {
    const registry = new Registry(join(this.settings.stateDirectory, 'clients.json'), () => this.clock.nowMs);
    const createdMs = this.clock.nowMs;
    await registry.change((clients) => [...clients, { ...client, credential, createdMs, revokedMs: undefined }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.running) await server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
