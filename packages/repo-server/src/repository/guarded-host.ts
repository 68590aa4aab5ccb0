import {
  CairnError,
  isCairnError,
  LIMITS,
  objectLabel,
  type Decision,
  type ObjectInfo,
  type ObjectKey,
  type ObjectKind,
  type StoredObject,
} from '@cairn/core/server';

import type { Client } from '../clients/client.ts';
import { mayDo, type Right } from '../roles.ts';
import { Allowance } from './allowance.ts';
import { belowFloor } from './floors.ts';
import type { HostedRepository } from './hosted-repository.ts';
import { LogUpload, ObjectUpload } from './uploads.ts';
import type { ObjectHost, Upload } from './object-host.ts';
import type { PublicEntry } from './log-entry.ts';
import { refused } from './refusal.ts';
import { statusOf } from './status.ts';

/** Bytes that an object of each kind may have. Sealing adds some to what a segment holds. */
const MOST_BYTES: Readonly<Record<ObjectKind, number>> = {
  config: LIMITS.configBytes,
  keys: LIMITS.keyFileBytes,
  packs: LIMITS.packBytes,
  index: LIMITS.indexBytes + 64 * 1024,
  log: LIMITS.logEntryBytes,
};

const READ: Readonly<Record<ObjectKind, Right>> = {
  config: 'read structure',
  log: 'read structure',
  index: 'read structure',
  packs: 'read packs',
  keys: 'read keys',
};

/**
 * A repository as one client sees it: every call is judged by the table of roles, by the log and by the host's floors. The
 * only way that objects leave is `remove` of what a SWEEP names.
 */
export class GuardedHost implements ObjectHost {
  private readonly repository: HostedRepository;
  private readonly client: Client;
  private readonly allowance: Allowance;

  constructor(repository: HostedRepository, client: Client) {
    this.repository = repository;
    this.client = client;
    this.allowance = new Allowance(repository, client);
  }

  async open(key: ObjectKey): Promise<StoredObject> {
    this.require(READ[key.kind], `read ${objectLabel(key)}`);
    return await this.repository.store.openObject(key);
  }

  list(kind: ObjectKind, after: string): AsyncIterable<ObjectInfo> {
    this.require(READ[kind], `list ${kind}`);
    return this.repository.store.listAfter(kind, after);
  }

  async status(): Promise<object> {
    this.require('status', 'ask for the status');
    await this.repository.refresh();
    return statusOf(this.repository, this.client);
  }

  async receive(key: ObjectKey, sizeBytes: number): Promise<Upload> {
    const what = `put ${objectLabel(key)}`;
    if (sizeBytes > MOST_BYTES[key.kind]) {
      throw new CairnError('LIMIT_EXCEEDED', `${what}: ${sizeBytes} bytes are more than it may have`);
    }
    const { name } = this.client;
    if (key.kind === 'log') {
      this.requireSome('log ', what);
      const done = this.repository.beginEntry(name);
      return new LogUpload(sizeBytes, (object) => this.append(Number.parseInt(key.name, 16), object), done);
    }
    this.require(key.kind === 'config' ? 'put config' : key.kind === 'keys' ? 'change keys' : 'put packs', what);
    // Before anything that takes time: what comes meanwhile is in memory.
    const done = this.repository.beginUpload(name);
    try {
      return await this.upload(key, sizeBytes, done);
    } catch (error) {
      done();
      throw error;
    }
  }

  /** @param done ends the counting of the upload as one that is under way. */
  private async upload(key: ObjectKey, sizeBytes: number, done: () => void): Promise<Upload> {
    const { repository } = this;
    const { name: client } = this.client;
    const isContent = key.kind === 'packs' || key.kind === 'index';
    if (isContent) await this.assertNotSwept(key);
    const room = isContent ? await this.allowance.claimRoom(sizeBytes) : repository.announce(client, sizeBytes);
    try {
      await ObjectUpload.assertAbsent(repository.store, key);
      return await ObjectUpload.begin({
        repository,
        key,
        mayUseReserve: this.allowance.mayFree,
        done: () => {
          room();
          done();
        },
        assertStillAllowed: async () => {
          if (isContent) await this.assertStillAllowed(key, sizeBytes);
        },
        onStored: async () => {
          const label = objectLabel(key);
          await repository.ledger.record({ t: repository.log.nowMs(), client, put: label, bytes: sizeBytes });
        },
      });
    } catch (error) {
      room();
      throw error;
    }
  }

  private async assertNotSwept(key: ObjectKey): Promise<void> {
    await this.repository.refresh();
    const { sweptPacks, sweptSegments } = this.repository.log.decisions;
    if ((key.kind === 'packs' ? sweptPacks : sweptSegments).has(key.name)) {
      throw refused(`${objectLabel(key)} was swept: its name is never used again`, undefined, 410);
    }
  }

  /**
   * When all has come: meanwhile the object may have been swept, and another process, which serves another connection over ssh, may
   * have used up the quota. Of uploads that are under way this one counts no more.
   */
  private async assertStillAllowed(key: ObjectKey, sizeBytes: number): Promise<void> {
    await this.assertNotSwept(key);
    this.allowance.assertQuota(sizeBytes);
  }

  /** Appends to the log, if client, rules and floors allow it. */
  private async append(seq: number, object: Uint8Array): Promise<void> {
    const { repository, client } = this;
    await this.allowance.assertEntry(object.length);
    const write = (): Promise<PublicEntry> =>
      repository.log.append(seq, object, async (entry, decisions, nowMs) => {
        this.require(`log ${entry.decision.kind}`, `append ${entry.decision.kind}`);
        this.assertOwnPin(entry.decision);
        await this.assertSegmentsThere(entry.decision);
        const { floors } = repository.settings;
        const countPacks = (): Promise<number> => countOf(repository.store.list('packs'));
        const how = await belowFloor(entry.decision, decisions, { floors, nowMs, countPacks });
        if (how !== undefined) throw this.refusedEntry(entry, how);
      });
    const { decision, hash } = await (this.allowance.mayFree ? repository.withReserve(write) : write());
    const { kind } = decision;
    const pin = kind === 'PIN' ? { pin: decision.pin } : {};
    const bytes = object.length;
    const line = { t: repository.log.nowMs(), client: client.name, log: seq, kind, bytes, hash, ...pin };
    await repository.ledger.record(line);
    repository.logger.info('log entry', { client: client.name, repository: client.repository, seq, kind });
  }

  private refusedEntry({ seq, decision }: PublicEntry, how: string): CairnError {
    const { logger } = this.repository;
    logger.warn('log entry refused', { client: this.client.name, repository: this.client.repository, seq, how });
    return refused(
      `log entry ${seq}, a ${decision.kind}, is refused: ${how}`,
      'The host decides that, in its own file.',
    );
  }

  private assertOwnPin(decision: Decision): void {
    if (decision.kind !== 'UNPIN') return;
    if (this.repository.ledger.pins.get(decision.pin) === this.client.name) return;
    throw refused(`the pin ${decision.pin} is of another client`, 'It ends by itself when its time is over.');
  }

  /** A COMMIT or INDEX that names what was never stored would make every later reader look for it in vain. */
  private async assertSegmentsThere(decision: Decision): Promise<void> {
    if (decision.kind !== 'COMMIT' && decision.kind !== 'INDEX') return;
    const { store, log } = this.repository;
    for (const name of new Set(decision.segments)) {
      if (log.decisions.sweptSegments.has(name)) continue;
      try {
        await (await store.openObject({ kind: 'index', name }))[Symbol.asyncDispose]();
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING')) throw error;
        throw refused(`a ${decision.kind} names the index segment ${name}, which is not there`);
      }
    }
  }

  async remove(key: ObjectKey): Promise<void> {
    const what = `delete ${objectLabel(key)}`;
    const { repository } = this;
    if (key.kind === 'keys') {
      this.require('change keys', what);
      await repository.store.delete(key);
      return;
    }
    this.require('remove swept', what);
    await repository.refresh();
    const { sweptPacks, sweptSegments } = repository.log.decisions;
    const swept = key.kind === 'packs' ? sweptPacks : key.kind === 'index' ? sweptSegments : undefined;
    if (swept?.has(key.name) !== true) throw refused(`${objectLabel(key)} is not named by a SWEEP`);
    await this.removeSwept(key);
  }

  private async removeSwept(key: ObjectKey): Promise<void> {
    const { store, ledger, log } = this.repository;
    let bytes: number;
    try {
      const object = await store.openObject(key);
      bytes = object.sizeBytes;
      await object[Symbol.asyncDispose]();
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return;
      throw error;
    }
    await store.delete(key);
    const removed = objectLabel(key);
    const owner = await ledger.ownerOf(removed);
    const of = owner === undefined ? {} : { of: owner };
    await ledger.record({ t: log.nowMs(), client: this.client.name, removed, bytes, ...of });
    // There is room again for what was given up when the disk was full.
    await this.repository.fillReserve();
  }

  private require(right: Right, action: string): void {
    const { name, role, withOptions } = this.client;
    if (!mayDo(role, right, withOptions)) throw refused(`${name} may not ${action}: its role is ${role}`);
  }

  private requireSome(prefix: string, action: string): void {
    const { name, role } = this.client;
    const kinds = ['COMMIT', 'RESCUE', 'PIN', 'DELETE'] as const;
    if (kinds.some((kind) => mayDo(role, `${prefix}${kind}` as Right, false))) return;
    throw refused(`${name} may not ${action}: its role is ${role}`);
  }
}

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const item of items) if (item !== undefined) count += 1;
  return count;
}
