import { CairnError } from '../../errors.ts';
import type { ObjectKey } from '../../ids.ts';
import type { Clock } from '../../ports/environment.ts';
import { objectLabel } from '../../stores/contract.ts';
import { MemoryStore, type MemoryObject } from '../../stores/memory.ts';
import type { Seeded } from '../seeded.ts';

/** How often things go wrong, as probabilities for each call that reaches the store. */
export interface FaultRates {
  /** The call fails and nothing was done. */
  readonly refused: number;
  /** The call was done, and its answer is lost. */
  readonly unanswered: number;
  /** A put fails, and yet it arrives some time later. */
  readonly late: number;
  /** A put arrives a second time later. */
  readonly twice: number;
}

/** A call that waits for its turn at the store. */
export interface Call {
  readonly client: string;
  readonly what: string;
  readonly isRead: boolean;
  /** Does a part of the work: true when there is nothing left. */
  readonly run: () => Promise<boolean>;
  /** Ends the call for its caller, as done or with an error. */
  readonly end: (error?: CairnError) => void;
}

interface LatePut {
  readonly key: ObjectKey;
  readonly body: Uint8Array;
}

/** 2100-01-01: later than any file of the sources was made. */
const START_MS = 4_102_444_800_000;

/** Longer than Linux leaves data unwritten (vm.dirty_expire_centisecs: 30 s). */
const FLUSH_MS = 60_000;

/** The store that all clients share, with its clock, what waits for it, and what is still on its way to it. */
export class World {
  readonly random: Seeded;
  readonly rates: FaultRates;
  readonly objects = new Map<string, MemoryObject>();
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly calls: Call[] = [];
  /** Visible, and not yet durable: a power cut may take them back. Log entries in order. */
  readonly volatile: string[] = [];
  readonly late: LatePut[] = [];
  /** Grows with each change of the objects. */
  changes = 0;
  private readonly numbers = new Map<string, number>();
  private nowMs = START_MS;
  private steadyMs = 0;

  constructor(random: Seeded, rates: FaultRates) {
    this.random = random;
    this.rates = rates;
    this.clock = { nowNs: () => BigInt(Math.floor(this.nowMs)) * 1_000_000n, monotonicMs: () => this.steadyMs };
    this.store = new MemoryStore(this.clock, this.objects);
  }

  get timeMs(): number {
    return this.nowMs;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    // No system keeps for so long to itself what was written.
    if (ms >= FLUSH_MS) this.volatile.length = 0;
    this.steadyMs += ms;
  }

  /** What a step calls an object: by the order in which objects are met, for names say nothing and are long. */
  label(key: ObjectKey): string {
    if (key.kind === 'log') return `log/${Number.parseInt(key.name, 16)}`;
    const number = this.numbers.get(key.name) ?? this.numbers.size + 1;
    this.numbers.set(key.name, number);
    return `${key.kind}/#${number}`;
  }

  /** Lets one waiting call go on, with what chance does to it; a client's reads go together. Gives what happened. */
  async grant(): Promise<string> {
    const first = this.random.oneOf(this.calls);
    const group = first.isRead ? this.calls.filter((call) => call.isRead && call.client === first.client) : [first];
    const outcomes: string[] = [];
    for (const call of group) outcomes.push(await this.grantOne(call));
    return `${first.client}: ${[...new Set(outcomes)].toSorted().join('; ')}`;
  }

  private async grantOne(call: Call): Promise<string> {
    const { random, rates } = this;
    if (random.chance(rates.refused)) {
      this.finish(call, unreachable(call.what));
      return `${call.what} is refused`;
    }
    const isDone = await call.run();
    if (!isDone) return `${call.what} begins`;
    if (random.chance(rates.unanswered)) {
      this.finish(call, unreachable(call.what));
      return `${call.what} is done, and not answered`;
    }
    this.finish(call);
    return call.what;
  }

  private finish(call: Call, error?: CairnError): void {
    this.calls.splice(this.calls.indexOf(call), 1);
    call.end(error);
  }

  /** Ends what a client that died was about to do; what began may be visible. */
  drop(client: string): void {
    for (const call of this.calls.filter((one) => one.client === client)) this.finish(call, unreachable(call.what));
  }

  /** Makes an object visible. Throws `OBJECT_EXISTS`. */
  async show(key: ObjectKey, body: Uint8Array): Promise<void> {
    // As a directory store does: an entry may rely on index segments of others.
    if (key.kind === 'log') this.sync({ kind: 'index' });
    await this.store.put(key, body);
    this.volatile.push(objectLabel(key));
    this.changes += 1;
  }

  /** An fsync of the folder that an object is in. */
  sync({ kind }: Pick<ObjectKey, 'kind'>): void {
    this.volatile.splice(0, Infinity, ...this.volatile.filter((label) => !label.startsWith(`${kind}/`)));
  }

  async remove(key: ObjectKey): Promise<void> {
    // What allows it is made durable first, as a directory store does.
    this.sync({ kind: 'log' });
    await this.store.delete(key);
    this.changes += 1;
  }

  /** One of the puts that are still on their way arrives. */
  async deliver(): Promise<string> {
    const [put] = this.late.splice(this.random.below(this.late.length), 1);
    if (put === undefined) return 'nothing is on its way';
    if (this.objects.has(objectLabel(put.key))) return `${this.label(put.key)} arrives again`;
    await this.store.put(put.key, put.body);
    this.changes += 1;
    return `${this.label(put.key)} arrives late`;
  }

  /** The store loses power: of what was not durable some is lost; of the log, its end. Gives how many objects. */
  cutPower(): number {
    let lost = 0;
    let logLost = false;
    for (const label of this.volatile) {
      const isLog = label.startsWith('log/');
      if (!(isLog && logLost) && this.random.chance(0.5)) continue;
      if (isLog) logLost = true;
      this.objects.delete(label);
      lost += 1;
    }
    this.volatile.length = 0;
    // What was on its way was in the memory of machines that lost it.
    this.late.length = 0;
    this.changes += 1;
    return lost;
  }
}

function unreachable(what: string): CairnError {
  return new CairnError('STORE_UNREACHABLE', `simulated: no answer to ${what}`);
}
